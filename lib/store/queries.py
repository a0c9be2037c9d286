"""Finding rows by the ids that clients send."""

from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Select, bindparam, delete, select
from sqlalchemy.orm import Session

from lib.store.paging import Page, PageRequest, read_page
from lib.store.tables import (
    AssistantRow,
    EventRow,
    FileRow,
    MessageRow,
    Row,
    RunRow,
    StepRow,
    ThreadRow,
    VectorStoreBatchRow,
    VectorStoreFileRow,
    VectorStoreRow,
)

R = TypeVar("R", bound=Row)

_NOUNS: dict[type[Row], str] = {
    AssistantRow: "assistant",
    ThreadRow: "thread",
    MessageRow: "message",
    RunRow: "run",
    StepRow: "run step",
    FileRow: "file",
    VectorStoreRow: "vector store",
    VectorStoreFileRow: "file",
    VectorStoreBatchRow: "vector store file batch",
}


class NotFoundError(Exception):
    """No object has this id. The text is the hosted API's."""

    def __init__(self, noun: str, object_id: str) -> None:
        super().__init__(f"No {noun} found with id '{object_id}'.")


def find(session: Session, row_type: type[R], object_id: str, **where: Any) -> R:
    """The row with this id that also has the column values in `where`. Raises NotFoundError."""
    row: R | None = session.scalar(_lookup(row_type, *where), {"id": object_id, **where})
    if row is None:
        raise NotFoundError(_NOUNS[row_type], object_id)
    return row


@cache
def _lookup(row_type: type[R], *columns: str) -> Select[R]:
    """The query behind `find`, built once: building it takes as long as running it."""
    wanted = [getattr(row_type, name) == bindparam(name) for name in ("id", *columns)]
    return select(row_type).where(*wanted)


def list_assistants(session: Session, request: PageRequest) -> Page[AssistantRow]:
    return read_page(session, AssistantRow, select(AssistantRow), request)


def list_threads(session: Session, request: PageRequest) -> Page[ThreadRow]:
    return read_page(session, ThreadRow, select(ThreadRow), request)


def list_messages(
    session: Session, thread_id: str, run_id: str | None, request: PageRequest
) -> Page[MessageRow]:
    find(session, ThreadRow, thread_id)
    query = select(MessageRow).where(MessageRow.thread_id == thread_id)
    if run_id is not None:
        query = query.where(MessageRow.run_id == run_id)
    return read_page(session, MessageRow, query, request)


def list_thread_runs(session: Session, thread_id: str, request: PageRequest) -> Page[RunRow]:
    find(session, ThreadRow, thread_id)
    return read_page(session, RunRow, select(RunRow).where(RunRow.thread_id == thread_id), request)


def list_steps(
    session: Session, thread_id: str, run_id: str, request: PageRequest
) -> Page[StepRow]:
    find(session, RunRow, run_id, thread_id=thread_id)
    return read_page(session, StepRow, select(StepRow).where(StepRow.run_id == run_id), request)


def delete_thread(session: Session, thread_id: str) -> list[str]:
    """Delete a thread with all that belongs to it. Returns the ids of its runs."""
    thread = find(session, ThreadRow, thread_id)
    run_ids = list(session.scalars(select(RunRow.id).where(RunRow.thread_id == thread_id)))
    for run_id in run_ids:
        delete_events(session, run_id)
    session.delete(thread)
    return run_ids


def delete_events(session: Session, run_id: str, subject_id: str | None = None) -> None:
    """Delete a run's event log, or the part of it that is about one step or message."""
    events = delete(EventRow).where(EventRow.run_id == run_id)
    if subject_id is not None:
        events = events.where(EventRow.subject_id == subject_id)
    session.connection().execute(events)
