"""Batches: many prompts for one assistant, run some at a time, each on a thread of its own.

What is to be done stands in the rows, so a batch goes on after a restart, whoever asked for it.
"""

import asyncio
import logging
from dataclasses import dataclass
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lib.engine.clock import now
from lib.engine.engine import Engine
from lib.engine.errors import RefusedError
from lib.engine.events import PAUSE_EVENTS, Event
from lib.engine.messages import NewMessage
from lib.engine.runs import NewRun
from lib.engine.states import CANCELLING, IN_PROGRESS, QUEUED
from lib.store.batches import RETRIED, find_batch
from lib.store.database import StorageError, Store
from lib.store.ids import new_id
from lib.store.queries import NotFoundError, find
from lib.store.tables import AssistantRow, BatchItemRow, BatchRow, RunRow

logger = logging.getLogger(__name__)

_LOOK_AGAIN_AFTER = 2.0
"""Seconds after which a batch is looked at even when no run was heard to end."""
_AT_WORK = (QUEUED, IN_PROGRESS, CANCELLING)


@dataclass(frozen=True, slots=True)
class NewBatch:
    name: str
    assistant_id: str
    prompts: list[str]
    concurrency: int


class Batches:
    """Starts the runs of all batches. One for a process; `start` takes up what was left undone."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store = store
        self._engine = engine
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        engine.log.listen(self._on_event)

    def start(self) -> None:
        self._news.set()
        self._task = asyncio.create_task(self._work_for_ever())

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def create(self, new: NewBatch) -> BatchRow:
        """Keep the prompts and begin with the first. Raises NotFoundError."""
        batch = await self._store.write(partial(_create, new=new))
        self._news.set()
        return batch

    async def cancel(self, batch_id: str) -> BatchRow:
        """Start no more of its prompts, and cancel those that are at work."""
        batch, active = await self._store.write(partial(_cancel, batch_id=batch_id))
        for run_id, thread_id in active:
            try:
                await self._engine.cancel_run(thread_id, run_id)
            except (RefusedError, NotFoundError):
                continue
        return batch

    async def retry(self, batch_id: str) -> int:
        """Put every prompt that failed back in line. Returns how many."""
        count = await self._store.write(partial(_retry, batch_id=batch_id))
        self._news.set()
        return count

    def _on_event(self, event: Event) -> None:
        if event.name in PAUSE_EVENTS:
            self._news.set()

    async def _work_for_ever(self) -> None:
        await self._store.write(_forget_unborn)
        while True:
            try:
                has_more = await self._start_due()
            except StorageError as error:
                logger.warning("Batches have to wait: %s", error)
                has_more = True
            try:
                async with asyncio.timeout(_LOOK_AGAIN_AFTER if has_more else None):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()

    async def _start_due(self) -> bool:
        """Start what the batches' limits allow. True while prompts are left in line."""
        due = await self._store.read(_due)
        for item in due:
            await self._start(item)
        return bool(due) or await self._store.read(_has_pending)

    async def _start(self, item: BatchItemRow) -> None:
        batch = await self._store.read(partial(_batch_of, item=item))
        run_id = new_id("run_")
        # Noted first: a run that is started twice after a crash would be paid for twice.
        await self._store.write(partial(_note_start, position=item.position, run_id=run_id))
        message = NewMessage("user", _text(item.prompt))
        metadata = {"batch_id": batch.id, "batch_number": str(item.number)}
        new = NewRun(batch.assistant_id, metadata=metadata)
        try:
            run = await self._engine.create_thread_and_run(run_id, new, {}, {}, [message])
        except (NotFoundError, RefusedError) as error:
            reason = str(error) or "The run could not be started."
            await self._store.write(partial(_note_failure, position=item.position, reason=reason))
            return
        await self._store.write(
            partial(_note_thread, position=item.position, thread_id=run.thread_id)
        )


def _create(session: Session, new: NewBatch) -> BatchRow:
    find(session, AssistantRow, new.assistant_id)
    batch = BatchRow(
        id=new_id("pbatch_"),
        created_at=now(),
        name=new.name,
        assistant_id=new.assistant_id,
        concurrency=new.concurrency,
    )
    session.add(batch)
    session.flush()
    session.add_all(
        BatchItemRow(batch_id=batch.id, number=number, prompt=prompt, attempts=0)
        for number, prompt in enumerate(new.prompts, start=1)
    )
    return batch


def _cancel(session: Session, batch_id: str) -> tuple[BatchRow, list[tuple[str, str]]]:
    batch = find_batch(session, batch_id)
    batch.cancelled_at = batch.cancelled_at or now()
    active = (
        select(RunRow.id, RunRow.thread_id)
        .join(BatchItemRow, BatchItemRow.run_id == RunRow.id)
        .where(BatchItemRow.batch_id == batch_id, RunRow.status.in_((*_AT_WORK, "requires_action")))
    )
    return batch, [row.tuple() for row in session.execute(active)]


def _retry(session: Session, batch_id: str) -> int:
    batch = find_batch(session, batch_id)
    batch.cancelled_at = None
    failed = (
        select(BatchItemRow)
        .outerjoin(RunRow, RunRow.id == BatchItemRow.run_id)
        .where(
            BatchItemRow.batch_id == batch_id,
            RunRow.status.in_(RETRIED)
            | BatchItemRow.error.is_not(None)
            | (BatchItemRow.run_id.is_not(None) & RunRow.id.is_(None)),
        )
    )
    rows = session.scalars(failed).all()
    for row in rows:
        row.run_id = row.thread_id = row.error = None
    return len(rows)


def _due(session: Session) -> list[BatchItemRow]:
    """The next prompts of every batch that has room for them."""
    due: list[BatchItemRow] = []
    for batch in session.scalars(select(BatchRow).where(BatchRow.cancelled_at.is_(None))):
        pending = (
            select(BatchItemRow)
            .where(
                BatchItemRow.batch_id == batch.id,
                BatchItemRow.run_id.is_(None),
                BatchItemRow.error.is_(None),
            )
            .order_by(BatchItemRow.number)
        )
        first = session.scalars(pending.limit(batch.concurrency)).all()
        if first:
            due += first[: max(0, batch.concurrency - _at_work(session, batch.id))]
    return due


def _at_work(session: Session, batch_id: str) -> int:
    query = (
        select(func.count())
        .select_from(BatchItemRow)
        .join(RunRow, RunRow.id == BatchItemRow.run_id)
        .where(BatchItemRow.batch_id == batch_id, RunRow.status.in_(_AT_WORK))
    )
    return session.scalar(query) or 0


def _has_pending(session: Session) -> bool:
    query = (
        select(BatchItemRow.position)
        .join(BatchRow, BatchRow.id == BatchItemRow.batch_id)
        .where(
            BatchRow.cancelled_at.is_(None),
            BatchItemRow.run_id.is_(None),
            BatchItemRow.error.is_(None),
        )
    )
    return session.scalar(query.limit(1)) is not None


def _batch_of(session: Session, item: BatchItemRow) -> BatchRow:
    return find_batch(session, item.batch_id)


def _note_start(session: Session, position: int, run_id: str) -> None:
    item = session.get_one(BatchItemRow, position)
    item.run_id = run_id
    item.attempts += 1


def _forget_unborn(session: Session) -> None:
    """Put prompts back in line whose run was noted, but never made before the process ended."""
    unborn = (
        select(BatchItemRow)
        .outerjoin(RunRow, RunRow.id == BatchItemRow.run_id)
        .where(
            BatchItemRow.run_id.is_not(None),
            BatchItemRow.thread_id.is_(None),
            RunRow.id.is_(None),
        )
    )
    for item in session.scalars(unborn):
        item.run_id = None


def _note_thread(session: Session, position: int, thread_id: str) -> None:
    session.get_one(BatchItemRow, position).thread_id = thread_id


def _note_failure(session: Session, position: int, reason: str) -> None:
    item = session.get_one(BatchItemRow, position)
    item.run_id, item.error = None, reason


def _text(prompt: str) -> list[dict[str, object]]:
    return [{"type": "text", "text": {"value": prompt, "annotations": []}}]
