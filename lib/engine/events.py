"""The event log of runs: stored in order, and announced to whoever follows at the moment.

Everything that happens to a run is an event with the API's own name and payload. Streams, the
dashboard and observability all read this log; any of them can attach late and replay it.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
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
Keeper = Callable[[Session, str], None]

logger = logging.getLogger(__name__)

END_EVENTS = frozenset(f"thread.run.{status}" for status in TERMINAL)
PAUSE_EVENTS = END_EVENTS | {"thread.run.requires_action"}
_BACKLOG_PAGE = 1000
_INSERT = insert(EventRow)


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
        self._waiting: list[Event] = []
        self._is_closed = False
        self._changed = asyncio.Event()

    def put(self, event: Event) -> None:
        self._waiting.append(event)
        self._changed.set()

    def close(self) -> None:
        self._is_closed = True
        self._changed.set()

    async def batches(self, idle_after: float) -> AsyncIterator[list[Event]]:
        """All events that are here, as soon as any is.

        An empty batch comes whenever nothing came for `idle_after` seconds.
        """
        while self._waiting or not self._is_closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(idle_after):
                    await self._changed.wait()
            self._changed.clear()
            batch, self._waiting = self._waiting, []
            if batch or not self._is_closed:
                yield batch


class EventLog:
    """Appends to the log and serves its followers. One for a process."""

    def __init__(self, store: Store, last_id: int) -> None:
        self._store = store
        self._ids = itertools.count(last_id + 1)
        self._followers: dict[str, set[Subscription]] = {}
        self._listeners: list[Listener] = []
        self._keepers: list[Keeper] = []
        self._deltas: list[tuple[str, str, str, str]] = []
        self._storing_deltas = False
        self._is_closed = False

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every event of every run, on the event loop. It must not block."""
        self._listeners.append(listener)

    def keep(self, keeper: Keeper) -> None:
        """Call `keeper` with the id of every run that ends, in the very unit of work that ends it.

        What it writes is stored with the end; when it fails, the run ends all the same. It must
        write by the session's connection: changes in the session would outlive its failure.
        """
        self._keepers.append(keeper)

    def delta(self, run_id: str, name: str, data: str, subject_id: str) -> None:
        """Append a delta; it is stored and announced in a moment, together with its neighbours."""
        self._deltas.append((run_id, name, data, subject_id))
        if not self._storing_deltas:
            self._storing_deltas = True
            # What the model has sent already comes in this same turn of the loop.
            asyncio.get_running_loop().call_soon(self._keep_storing_deltas)

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
            self._keep(session, sink.events)
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
    ) -> AsyncIterator[list[Event]]:
        """Every event of a run after the one with id `after`, then live until the run ends.

        An empty batch comes whenever nothing came for `idle_after` seconds.
        """
        subscription = self.subscribe(run_id)
        try:
            async for page in self._backlog(run_id, after):
                after = page[-1].id
                yield page
                if page[-1].name in END_EVENTS:
                    return
            async for live in subscription.batches(idle_after):
                batch = [event for event in live if event.id > after]
                if live and not batch:
                    continue
                yield batch
                if batch and batch[-1].name in END_EVENTS:
                    return
        finally:
            self.unsubscribe(run_id, subscription)

    async def has_ended(self, run_id: str, after: int) -> bool:
        """Whether the run's last event is not after the one with id `after`: none will come."""
        return await self._store.read(partial(_has_ended, run_id=run_id, after=after))

    def end_followers(self, run_id: str) -> None:
        """Let the followers of a run go that will have no more events: it was deleted."""
        for subscription in self._followers.get(run_id, set()):
            subscription.close()

    def close(self) -> None:
        """Let every follower go: the process stops. Runs go on when it starts again."""
        self._is_closed = True
        for run_id in list(self._followers):
            self.end_followers(run_id)

    async def _backlog(self, run_id: str, after: int) -> AsyncIterator[list[Event]]:
        while page := await self._store.read(partial(_page, run_id=run_id, after=after)):
            after = page[-1].id
            yield page

    def _keep_storing_deltas(self) -> None:
        """Store one batch after the other, each with all that came during the one before."""
        stored = self._store_deltas()
        self._storing_deltas = stored is not None
        if stored is not None:
            stored.add_done_callback(lambda _: self._keep_storing_deltas())

    def _store_deltas(self) -> "asyncio.Future[None] | None":
        """Store the deltas that wait, in one unit of work; None when there are none."""
        deltas, self._deltas = self._deltas, []
        if not deltas:
            return None
        sink = EventSink(self._ids)

        def unit(session: Session) -> None:
            for delta in deltas:
                sink.add(*delta)
            _insert(session, sink.events)

        stored = self._announced(self._store.write(unit), sink)
        stored.add_done_callback(_warn_of_lost_deltas)
        return stored

    def _keep(self, session: Session, events: list[Event]) -> None:
        ended = [event.run_id for event in events if event.name in END_EVENTS]
        for run_id in ended:
            for keeper in self._keepers:
                try:
                    with session.connection().begin_nested():
                        keeper(session, run_id)
                except Exception:
                    logger.exception("What run %s came to was not noted", run_id)

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


def _warn_of_lost_deltas(done: "asyncio.Future[None]") -> None:
    if error := done.exception():
        # The message itself is written whole at its end; only the replay has a gap.
        logger.warning("Deltas could not be stored: %s", error)


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
    session.connection().execute(_INSERT, rows)


def _has_ended(session: Session, run_id: str, after: int) -> bool:
    query = select(EventRow.id).where(
        EventRow.run_id == run_id, EventRow.id <= after, EventRow.name.in_(END_EVENTS)
    )
    return session.scalar(query.limit(1)) is not None


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
