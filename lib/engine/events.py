"""The event log of runs: stored in order, and announced to whoever follows at the moment.

Everything that happens to a run is an event with the API's own name and payload. Streams, the
dashboard and observability all read this log; any of them can attach late and replay it.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from lib.engine.states import TERMINAL
from lib.store.database import Store
from lib.store.objects import to_json
from lib.store.tables import EventRow, MessageRow, RunRow, StepRow, ThreadRow

T = TypeVar("T")
Listener = Callable[["Event"], None]

logger = logging.getLogger(__name__)

END_EVENTS = frozenset(f"thread.run.{status}" for status in TERMINAL)
PAUSE_EVENTS = END_EVENTS | {"thread.run.requires_action"}
_BACKLOG_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """`data` is the payload's JSON text; `id` grows along the log; `at_ms` is Unix milliseconds."""

    id: int
    run_id: str
    name: str
    data: str
    subject_id: str
    at_ms: int


class EventSink:
    """Collects what happens in one unit of work, so that it is stored with what it tells."""

    def __init__(self, ids: "itertools.count[int]") -> None:
        self._ids = ids
        self.events: list[Event] = []

    def run(self, name: str, row: RunRow) -> None:
        self.add(row.id, f"thread.run.{name}", to_json(row), row.id)

    def step(self, name: str, row: StepRow) -> None:
        # The log keeps all; what a client did not ask for is taken out on the way to it.
        data = to_json(row, with_result_content=True)
        self.add(row.run_id, f"thread.run.step.{name}", data, row.id)

    def message(self, name: str, row: MessageRow, run_id: str) -> None:
        self.add(run_id, f"thread.message.{name}", to_json(row), row.id)

    def thread_created(self, row: ThreadRow, run_id: str) -> None:
        self.add(run_id, "thread.created", to_json(row), row.id)

    def add(self, run_id: str, name: str, data: str, subject_id: str) -> None:
        at_ms = time.time_ns() // 1_000_000
        self.events.append(Event(next(self._ids), run_id, name, data, subject_id, at_ms))


class Subscription:
    """The events of one run from now on, until the log closes it."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()

    def put(self, event: Event) -> None:
        self._queue.put_nowait(event)

    def close(self) -> None:
        self._queue.put_nowait(None)

    async def events(self, idle_after: float) -> AsyncIterator[Event | None]:
        """The events as they come, and None whenever nothing came for `idle_after` seconds."""
        while True:
            try:
                event = await self._get(idle_after)
            except TimeoutError:
                yield None
                continue
            if event is None:
                return
            yield event

    async def _get(self, idle_after: float) -> Event | None:
        if not self._queue.empty():
            return self._queue.get_nowait()
        return await asyncio.wait_for(self._queue.get(), idle_after)


class EventLog:
    """Appends to the log and serves its followers. One for a process."""

    def __init__(self, store: Store, last_id: int) -> None:
        self._store = store
        self._ids = itertools.count(last_id + 1)
        self._followers: dict[str, set[Subscription]] = {}
        self._listeners: list[Listener] = []
        self._deltas: list[tuple[str, str, str, str]] = []
        self._storing_deltas = False
        self._is_closed = False

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every event of every run, on the event loop. It must not block."""
        self._listeners.append(listener)

    def delta(self, run_id: str, name: str, data: str, subject_id: str) -> None:
        """Append a delta; it is stored and announced in a moment, together with its neighbours."""
        self._deltas.append((run_id, name, data, subject_id))
        if not self._storing_deltas:
            self._store_deltas()

    async def write(self, work: Callable[[Session, EventSink], T]) -> T:
        """Run a unit of work whose events are stored with it and announced once they are safe.

        It comes after every delta appended before. Raises what `work` raises, and StorageError.
        """
        self._store_deltas()
        sink = EventSink(self._ids)

        def unit(session: Session) -> T:
            result = work(session, sink)
            session.flush()
            _insert(session, sink.events)
            return result

        # A caller that goes away must not keep followers from hearing what was stored.
        return await asyncio.shield(self._announced(self._store.write(unit), sink))

    def subscribe(self, run_id: str) -> Subscription:
        subscription = Subscription()
        if self._is_closed:
            subscription.close()
        self._followers.setdefault(run_id, set()).add(subscription)
        return subscription

    def unsubscribe(self, run_id: str, subscription: Subscription) -> None:
        followers = self._followers.get(run_id, set())
        followers.discard(subscription)
        if not followers:
            self._followers.pop(run_id, None)

    async def follow(
        self, run_id: str, after: int, idle_after: float
    ) -> AsyncIterator[Event | None]:
        """Every event of a run after the one with id `after`, then live until the run ends.

        None comes whenever nothing came for `idle_after` seconds.
        """
        subscription = self.subscribe(run_id)
        try:
            async for event in self._backlog(run_id, after):
                after = event.id
                yield event
                if event.name in END_EVENTS:
                    return
            async for live in subscription.events(idle_after):
                if live is not None and live.id <= after:
                    continue
                yield live
                if live is not None and live.name in END_EVENTS:
                    return
        finally:
            self.unsubscribe(run_id, subscription)

    def end_followers(self, run_id: str) -> None:
        """Let the followers of a run go that will have no more events: it was deleted."""
        for subscription in self._followers.get(run_id, set()):
            subscription.close()

    def close(self) -> None:
        """Let every follower go: the process stops. Runs go on when it starts again."""
        self._is_closed = True
        for run_id in list(self._followers):
            self.end_followers(run_id)

    async def _backlog(self, run_id: str, after: int) -> AsyncIterator[Event]:
        while True:
            page = await self._store.read(partial(_page, run_id=run_id, after=after))
            for event in page:
                after = event.id
                yield event
            if len(page) < _BACKLOG_PAGE:
                return

    def _store_deltas(self) -> None:
        deltas, self._deltas = self._deltas, []
        if not deltas:
            return
        sink = EventSink(self._ids)

        def unit(session: Session) -> None:
            for delta in deltas:
                sink.add(*delta)
            _insert(session, sink.events)

        self._storing_deltas = True
        self._announced(self._store.write(unit), sink).add_done_callback(self._deltas_stored)

    def _deltas_stored(self, done: "asyncio.Future[None]") -> None:
        if error := done.exception():
            # The message itself is written whole at its end; only the replay has a gap.
            logger.warning("Deltas could not be stored: %s", error)
        self._storing_deltas = False
        self._store_deltas()

    def _announced(self, done: "asyncio.Future[T]", sink: EventSink) -> "asyncio.Future[T]":
        def announce(done: "asyncio.Future[T]") -> None:
            if done.exception() is None:
                self._announce(sink.events)

        done.add_done_callback(announce)
        return done

    def _announce(self, events: list[Event]) -> None:
        for event in events:
            for subscription in self._followers.get(event.run_id, ()):
                subscription.put(event)
            for listener in self._listeners:
                listener(event)


async def open_event_log(store: Store) -> EventLog:
    last_id = await store.read(lambda session: session.scalar(select(func.max(EventRow.id))))
    return EventLog(store, last_id or 0)


def _insert(session: Session, events: list[Event]) -> None:
    if not events:
        return
    rows: list[dict[str, Any]] = [
        {
            "id": event.id,
            "run_id": event.run_id,
            "name": event.name,
            "data": event.data,
            "subject_id": event.subject_id,
            "at_ms": event.at_ms,
        }
        for event in events
    ]
    session.connection().execute(insert(EventRow), rows)


def _page(session: Session, run_id: str, after: int) -> list[Event]:
    query = (
        select(
            EventRow.id,
            EventRow.run_id,
            EventRow.name,
            EventRow.data,
            EventRow.subject_id,
            EventRow.at_ms,
        )
        .where(EventRow.run_id == run_id, EventRow.id > after)
        .order_by(EventRow.id)
        .limit(_BACKLOG_PAGE)
    )
    return [Event(*row) for row in session.execute(query)]
