"""Brings finished runs to a destination: from the rows, in the background, until they arrived.

Nothing waits in memory that the database does not hold, so neither a restart nor hours without a
network lose a trace, and no run ever waits for one.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lib.engine.clock import now
from lib.engine.events import END_EVENTS, Event
from lib.engine.states import TERMINAL
from lib.observability.destinations import (
    Destination,
    RefusedError,
    UnacceptableError,
    UnreachableError,
)
from lib.observability.spans import RunTrace, spans_of
from lib.store.database import StorageError, Store
from lib.store.tables import (
    AssistantRow,
    EventRow,
    ModelCallRow,
    RunRow,
    StepRow,
    TraceDeliveryRow,
)

logger = logging.getLogger(__name__)

_RESOURCE = Resource({"service.name": "assistants-studio"})
_BATCH = 20
_LOOK_BACK = 24 * 3600
"""Seconds: runs that ended earlier than this before the start are not sent any more."""
_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """`message` is one sentence; `since` is when it began to be so, Unix seconds."""

    phase: Literal["ready", "refused", "unreachable"]
    message: str
    since: int
    waiting: int


class Delivery:
    """One destination's deliveries. `start` it once; `on_event` is the event log's listener."""

    def __init__(
        self, store: Store, destination: Destination, with_content: bool, secrets: Sequence[str]
    ) -> None:
        self.destination = destination
        self._store = store
        self._with_content = with_content
        self._secrets = secrets
        self._waiting: dict[str, None] = {}
        self._news = asyncio.Event()
        self._phase: Literal["ready", "refused", "unreachable"] = "ready"
        self._message = "Traces are delivered as runs end."
        self._since = now()
        self._task: asyncio.Task[None] | None = None

    @property
    def state(self) -> DeliveryState:
        return DeliveryState(self._phase, self._message, self._since, len(self._waiting))

    def start(self) -> None:
        self._task = asyncio.create_task(self._deliver_for_ever())

    def on_event(self, event: Event) -> None:
        if event.name in END_EVENTS:
            self._waiting[event.run_id] = None
            self._news.set()

    async def close(self) -> None:
        """Stop at once; what has not arrived is sent after the next start."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.destination.close()

    async def _deliver_for_ever(self) -> None:
        self._waiting = dict.fromkeys(await self._store.read(self._undelivered)) | self._waiting
        pause = _FIRST_PAUSE
        while True:
            try:
                while self._waiting:
                    await self._deliver_some()
                    pause = _FIRST_PAUSE
            except (RefusedError, UnreachableError, StorageError) as error:
                self._note(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            self._news.clear()
            await self._news.wait()

    async def _deliver_some(self) -> None:
        run_ids = list(self._waiting)[:_BATCH]
        try:
            await self._deliver(run_ids)
        except UnacceptableError:
            # One of them is not taken, or all are too much for one request.
            for run_id in run_ids:
                await self._deliver_alone(run_id)
        self._set("ready", "Traces are delivered as runs end.")

    async def _deliver_alone(self, run_id: str) -> None:
        try:
            await self._deliver([run_id])
        except UnacceptableError as error:
            refusal = str(error)
            logger.warning("The trace of %s is given up: %s", run_id, refusal)
            await self._store.write(lambda session: self._record(session, [run_id], refusal))
            self._waiting.pop(run_id, None)

    async def _deliver(self, run_ids: list[str]) -> None:
        traces = await self._store.read(lambda session: _read_traces(session, run_ids))
        if traces:
            # Not on the event loop: long traces would hold up the runs at work.
            payload = await asyncio.to_thread(
                _as_request, traces, self._with_content, self._secrets
            )
            await self.destination.send(payload)
        arrived = [trace.run.id for trace in traces]
        await self._store.write(lambda session: self._record(session, arrived))
        for run_id in run_ids:
            self._waiting.pop(run_id, None)

    def _record(self, session: Session, run_ids: list[str], refusal: str | None = None) -> None:
        known = set(session.scalars(select(RunRow.id).where(RunRow.id.in_(run_ids))))
        for run_id in known:
            session.merge(
                TraceDeliveryRow(
                    run_id=run_id,
                    destination=self.destination.name,
                    delivered_at=now(),
                    refusal=refusal,
                )
            )

    def _undelivered(self, session: Session) -> list[str]:
        delivered = select(TraceDeliveryRow.run_id).where(
            TraceDeliveryRow.destination == self.destination.name
        )
        query = select(RunRow.id).where(
            RunRow.status.in_(TERMINAL),
            RunRow.created_at >= now() - _LOOK_BACK,
            RunRow.id.not_in(delivered),
        )
        return list(session.scalars(query.order_by(RunRow.position)))

    def _note(self, error: Exception) -> None:
        phase: Literal["refused", "unreachable"] = (
            "refused" if isinstance(error, RefusedError) else "unreachable"
        )
        if phase != self._phase:
            logger.warning("Traces wait: %s", error)
        self._set(phase, str(error))

    def _set(self, phase: Literal["ready", "refused", "unreachable"], message: str) -> None:
        if phase != self._phase:
            self._since = int(time.time())
        self._phase, self._message = phase, message


def _as_request(traces: list[RunTrace], with_content: bool, secrets: Sequence[str]) -> bytes:
    """The traces as an OTLP protobuf request."""
    spans = [span for trace in traces for span in spans_of(trace, _RESOURCE, with_content, secrets)]
    request: bytes = encode_spans(spans).SerializeToString()
    return request


def _read_traces(session: Session, run_ids: list[str]) -> list[RunTrace]:
    """The traces of those runs that still exist."""
    runs = session.scalars(select(RunRow).where(RunRow.id.in_(run_ids))).all()
    return [_read_trace(session, run) for run in runs]


def _read_trace(session: Session, run: RunRow) -> RunTrace:
    last_event = select(func.max(EventRow.at_ms)).where(EventRow.run_id == run.id)
    return RunTrace(
        run=run,
        assistant=session.scalar(select(AssistantRow).where(AssistantRow.id == run.assistant_id)),
        steps=session.scalars(
            select(StepRow).where(StepRow.run_id == run.id).order_by(StepRow.position)
        ).all(),
        model_calls=session.scalars(
            select(ModelCallRow)
            .where(ModelCallRow.run_id == run.id)
            .order_by(ModelCallRow.position)
        ).all(),
        ended_ms=session.scalar(last_event) or run.created_at * 1000,
    )
