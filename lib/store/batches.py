"""Batches of prompts: their progress, and what became of each prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lib.store.message_texts import texts_of
from lib.store.queries import NotFoundError
from lib.store.tables import BatchItemRow, BatchRow, MessageRow, RunRow

RETRIED = ("failed", "expired", "incomplete", "cancelled")
"""What became of runs that are worth another try."""
PENDING = "pending"
NOT_STARTED = "failed"
DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class BatchItem:
    """A prompt with what became of it; `status` is its run's, or pending before it has one."""

    item: BatchItemRow
    status: str
    run: RunRow | None
    answer: str | None

    @property
    def error(self) -> str | None:
        if self.item.error:
            return self.item.error
        if self.run is None or self.run.last_error is None:
            return None
        return str(self.run.last_error["message"])


def find_batch(session: Session, batch_id: str) -> BatchRow:
    """Raises NotFoundError."""
    row = session.scalar(select(BatchRow).where(BatchRow.id == batch_id))
    if row is None:
        raise NotFoundError("prompt batch", batch_id)
    return row


def list_batches(session: Session, limit: int) -> list[tuple[BatchRow, dict[str, int]]]:
    """The newest batches, each with how many of its prompts have which status."""
    rows = session.scalars(select(BatchRow).order_by(BatchRow.position.desc()).limit(limit)).all()
    return [(row, counts(session, row)) for row in rows]


def counts(session: Session, batch: BatchRow) -> dict[str, int]:
    query = (
        select(RunRow.status, BatchItemRow.error, BatchItemRow.thread_id, func.count())
        .select_from(BatchItemRow)
        .outerjoin(RunRow, RunRow.id == BatchItemRow.run_id)
        .where(BatchItemRow.batch_id == batch.id)
        .group_by(
            RunRow.status,
            BatchItemRow.error.is_not(None),
            BatchItemRow.thread_id.is_not(None),
        )
    )
    found: dict[str, int] = {}
    for run_status, error, thread_id, count in session.execute(query):
        status = _status(run_status, error, thread_id, batch)
        found[status] = found.get(status, 0) + count
    return found


def list_items(
    session: Session, batch: BatchRow, after: int, limit: int, statuses: Sequence[str] = ()
) -> list[BatchItem]:
    """The prompts behind number `after`, in order, with their answers."""
    query = (
        select(BatchItemRow, RunRow)
        .outerjoin(RunRow, RunRow.id == BatchItemRow.run_id)
        .where(BatchItemRow.batch_id == batch.id, BatchItemRow.number > after)
        .order_by(BatchItemRow.number)
        .limit(limit)
    )
    if statuses:
        query = query.where(func.coalesce(RunRow.status, PENDING).in_(statuses))
    pairs = [row.tuple() for row in session.execute(query)]
    answers = _answers(session, [item.run_id for item, run in pairs if item.run_id and run])
    return [
        BatchItem(
            item,
            _status(run.status if run else None, item.error, item.thread_id, batch),
            run,
            answers.get(item.run_id or ""),
        )
        for item, run in pairs
    ]


def delete_batch(session: Session, batch_id: str) -> None:
    """Forget a batch; its threads and runs stay. Raises NotFoundError."""
    session.delete(find_batch(session, batch_id))


def _status(
    run_status: str | None, error: str | None, thread_id: str | None, batch: BatchRow
) -> str:
    if error is not None:
        return NOT_STARTED
    if run_status is not None:
        return run_status
    if thread_id is not None:
        return DELETED
    return "cancelled" if batch.cancelled_at else PENDING


def _answers(session: Session, run_ids: list[str]) -> dict[str, str]:
    """By run id: all that it said."""
    query = (
        select(MessageRow.run_id, MessageRow.content)
        .where(MessageRow.run_id.in_(run_ids))
        .order_by(MessageRow.position)
    )
    answers: dict[str, str] = {}
    for run_id, content in session.execute(query):
        assert run_id is not None
        said = [answers[run_id]] if run_id in answers else []
        answers[run_id] = "\n\n".join([*said, *texts_of(content)])
    return answers
