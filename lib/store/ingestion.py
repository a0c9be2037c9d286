"""What is left to do for the files in vector stores: the queue is the rows themselves."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Select, select, tuple_, update
from sqlalchemy.orm import Session

from lib.store.tables import FileRow, IndexRemovalRow, Json, VectorStoreFileRow
from lib.store.vector_stores import COMPLETED, FAILED, IN_PROGRESS, forget_in_index

MOST_ATTEMPTS = 3
_BROUGHT_DOWN: Json = {
    "code": "server_error",
    "message": f"Reading this file stopped the server {MOST_ATTEMPTS} times; it is left out.",
}


@dataclass(frozen=True, slots=True)
class Job:
    """A file in a store that is to be made searchable. `position` names it for ever."""

    position: int
    store_id: str
    file_id: str
    filename: str
    sha256: str
    attributes: Json
    chunking: Json

    @property
    def key(self) -> tuple[str, str]:
        return self.store_id, self.file_id


def claim(session: Session, busy: Collection[tuple[str, str]]) -> Job | None:
    """The next file to make searchable, without those that are being worked on.

    `busy` are their keys: a file that was put in anew waits until nobody reads it any more as it
    was. A file that was put in alone goes before batches: somebody waits for it.
    """
    while (row := _next(session, busy)) is not None:
        if row.attempts < MOST_ATTEMPTS:
            row.attempts += 1
            return _job(session, row)
        row.status, row.last_error = FAILED, _BROUGHT_DOWN
        session.flush()
    return None


def has_waiting(session: Session) -> bool:
    """Whether any file is in_progress."""
    query = select(VectorStoreFileRow.position).where(VectorStoreFileRow.status == IN_PROGRESS)
    return session.scalar(query.limit(1)) is not None


def release(session: Session, positions: Collection[int]) -> None:
    """The server stops in good order: what it was working on did not bring it down."""
    session.execute(
        update(VectorStoreFileRow)
        .where(VectorStoreFileRow.position.in_(positions), VectorStoreFileRow.attempts > 0)
        .values(attempts=VectorStoreFileRow.attempts - 1)
    )


def complete(session: Session, job: Job, usage_bytes: int) -> Json | None:
    """in_progress → completed: the file can be found. Returns its attributes.

    None when the file was taken out or cancelled meanwhile; the index is told to forget it then.
    """
    row = session.get(VectorStoreFileRow, job.position)
    if row is None or row.status != IN_PROGRESS:
        forget_in_index(session, job.store_id, [job.file_id])
        return None
    row.status = COMPLETED
    row.usage_bytes = usage_bytes
    row.attempts = 0
    return row.attributes


def fail(session: Session, job: Job, code: str, message: str) -> None:
    """in_progress → failed, with the reason in words."""
    row = session.get(VectorStoreFileRow, job.position)
    if row is not None and row.status == IN_PROGRESS:
        row.status = FAILED
        row.last_error = {"code": code, "message": message}
        forget_in_index(session, job.store_id, [job.file_id])


def next_to_embed(session: Session, embedder: str, waiting: Collection[int]) -> Job | None:
    """The oldest file that this embedder has not dealt with, without those that must wait."""
    query = select(VectorStoreFileRow).where(
        VectorStoreFileRow.status == COMPLETED,
        VectorStoreFileRow.embedder.is_distinct_from(embedder),
        VectorStoreFileRow.position.not_in(waiting),
    )
    row = session.scalar(query.order_by(VectorStoreFileRow.position).limit(1))
    return _job(session, row) if row else None


def note_embedder(session: Session, job: Job, embedder: str, usage_bytes: int) -> None:
    row = session.get(VectorStoreFileRow, job.position)
    if row is not None:
        row.embedder = embedder
        row.usage_bytes = usage_bytes


def twin(session: Session, job: Job) -> tuple[str, str] | None:
    """The same content under the same name, cut the same way, that can be found already."""
    query = (
        select(VectorStoreFileRow)
        .join(FileRow, FileRow.id == VectorStoreFileRow.id)
        .where(
            FileRow.sha256 == job.sha256,
            FileRow.filename == job.filename,
            VectorStoreFileRow.status == COMPLETED,
        )
    )
    for row in session.scalars(query.limit(50)):
        if row.chunking_strategy["static"] == job.chunking:
            return row.vector_store_id, row.id
    return None


def count_unfinished(session: Session, store_ids: Collection[str]) -> int:
    query = select(VectorStoreFileRow.position).where(
        VectorStoreFileRow.vector_store_id.in_(store_ids), VectorStoreFileRow.status == IN_PROGRESS
    )
    return len(session.scalars(query).all())


def begin_anew(session: Session) -> None:
    """The index is empty: everything in it must be made again."""
    session.execute(
        update(VectorStoreFileRow)
        .where(VectorStoreFileRow.status == COMPLETED)
        .values(status=IN_PROGRESS, embedder=None, attempts=0)
    )


def removals(session: Session) -> list[IndexRemovalRow]:
    """What the index must forget, oldest first, a hundred at a time."""
    rows = session.scalars(select(IndexRemovalRow).order_by(IndexRemovalRow.position).limit(100))
    return list(rows)


def is_wanted(session: Session, store_id: str, file_id: str | None) -> bool:
    """Whether a file, or any file of a store, is to be found in spite of its removal."""
    query = select(VectorStoreFileRow.position).where(
        VectorStoreFileRow.vector_store_id == store_id,
        VectorStoreFileRow.status.in_((IN_PROGRESS, COMPLETED)),
    )
    if file_id is not None:
        query = query.where(VectorStoreFileRow.id == file_id)
    return session.scalar(query.limit(1)) is not None


def removed(session: Session, position: int) -> None:
    row = session.get(IndexRemovalRow, position)
    if row is not None:
        session.delete(row)


def is_current(session: Session, job: Job) -> bool:
    """False once the file was taken out of the store, or put in anew."""
    return session.get(VectorStoreFileRow, job.position) is not None


def _next(session: Session, busy: Collection[tuple[str, str]]) -> VectorStoreFileRow | None:
    waiting = select(VectorStoreFileRow).where(
        VectorStoreFileRow.status == IN_PROGRESS,
        tuple_(VectorStoreFileRow.vector_store_id, VectorStoreFileRow.id).not_in(busy),
    )
    alone = waiting.where(VectorStoreFileRow.batch_id.is_(None))
    return _first(session, alone) or _first(session, waiting)


def _first(session: Session, query: Select[VectorStoreFileRow]) -> VectorStoreFileRow | None:
    return session.scalar(query.order_by(VectorStoreFileRow.position).limit(1))


def _job(session: Session, row: VectorStoreFileRow) -> Job:
    file = session.scalars(select(FileRow).where(FileRow.id == row.id)).one()
    return Job(
        position=row.position,
        store_id=row.vector_store_id,
        file_id=row.id,
        filename=file.filename,
        sha256=file.sha256,
        attributes=row.attributes,
        chunking=row.chunking_strategy["static"],
    )
