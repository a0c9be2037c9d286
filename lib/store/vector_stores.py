"""Vector stores and the files in them: reading, counting, and taking them away with every use."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import String, cast, delete, func, select, update
from sqlalchemy.orm import Session

from lib.store.paging import Page, PageRequest, read_page
from lib.store.queries import find
from lib.store.tables import (
    AssistantRow,
    IndexRemovalRow,
    Json,
    ThreadRow,
    VectorStoreBatchRow,
    VectorStoreFileRow,
    VectorStoreRow,
)

IN_PROGRESS = "in_progress"
COMPLETED = "completed"
FAILED = "failed"
CANCELLED = "cancelled"
FILE_STATUSES = (IN_PROGRESS, COMPLETED, FAILED, CANCELLED)

DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class Tally:
    """A store's files by status, with their `total`; and what their content takes in the index."""

    file_counts: dict[str, int]
    usage_bytes: int


def expires_at(expires_after: Json | None, last_active_at: int) -> int | None:
    """When a store that was last used then expires, in Unix seconds."""
    return last_active_at + expires_after["days"] * DAY if expires_after else None


def touch(row: VectorStoreRow, at: int) -> None:
    """The store was used: its expiry counts from now."""
    row.last_active_at = at
    row.expires_at = expires_at(row.expires_after, at)


def is_expired(row: VectorStoreRow, at: int) -> bool:
    return row.expires_at is not None and row.expires_at <= at


def tallies(session: Session, store_ids: Collection[str]) -> dict[str, Tally]:
    """The tally of each store."""
    counts = {store_id: dict.fromkeys(FILE_STATUSES, 0) for store_id in store_ids}
    used = dict.fromkeys(store_ids, 0)
    query = select(
        VectorStoreFileRow.vector_store_id,
        VectorStoreFileRow.status,
        func.count(),
        func.sum(VectorStoreFileRow.usage_bytes),
    ).where(VectorStoreFileRow.vector_store_id.in_(store_ids))
    groups = query.group_by(VectorStoreFileRow.vector_store_id, VectorStoreFileRow.status)
    for store_id, status, count, usage_bytes in session.execute(groups):
        counts[store_id][status] = count
        used[store_id] += usage_bytes
    return {
        store_id: Tally({**each, "total": sum(each.values())}, used[store_id])
        for store_id, each in counts.items()
    }


def batch_counts(session: Session, batch_id: str) -> dict[str, int]:
    """A batch's files by status, with their `total`."""
    query = select(VectorStoreFileRow.status, func.count()).where(
        VectorStoreFileRow.batch_id == batch_id
    )
    found = dict(session.execute(query.group_by(VectorStoreFileRow.status)).tuples().all())
    counts = {status: found.get(status, 0) for status in FILE_STATUSES}
    return {**counts, "total": sum(counts.values())}


def list_vector_stores(session: Session, request: PageRequest) -> Page[VectorStoreRow]:
    return read_page(session, VectorStoreRow, select(VectorStoreRow), request)


def list_vector_store_files(
    session: Session, store_id: str, batch_id: str | None, status: str | None, request: PageRequest
) -> Page[VectorStoreFileRow]:
    """Files of a store, or of one batch in it. Raises NotFoundError."""
    find(session, VectorStoreRow, store_id)
    query = select(VectorStoreFileRow).where(VectorStoreFileRow.vector_store_id == store_id)
    if batch_id is not None:
        find(session, VectorStoreBatchRow, batch_id, vector_store_id=store_id)
        query = query.where(VectorStoreFileRow.batch_id == batch_id)
    if status is not None:
        query = query.where(VectorStoreFileRow.status == status)
    return read_page(session, VectorStoreFileRow, query, request)


def delete_vector_store(session: Session, store_id: str) -> None:
    """Delete a store, unlinking it from every assistant and thread. Raises NotFoundError."""
    session.delete(find(session, VectorStoreRow, store_id))
    session.add(IndexRemovalRow(vector_store_id=store_id, file_id=None))
    for owner in _owners_with(session, store_id):
        section = owner.tool_resources["file_search"]
        kept = [each for each in section["vector_store_ids"] if each != store_id]
        owner.tool_resources = {
            **owner.tool_resources,
            "file_search": {**section, "vector_store_ids": kept},
        }


def delete_vector_store_file(session: Session, store_id: str, file_id: str) -> None:
    """Take a file out of a store; the file itself stays. Raises NotFoundError."""
    find(session, VectorStoreRow, store_id)
    session.delete(find(session, VectorStoreFileRow, file_id, vector_store_id=store_id))
    forget_in_index(session, store_id, [file_id])


def forget_in_index(session: Session, store_id: str, file_ids: Sequence[str]) -> None:
    """Note that the index must forget these files of a store; the ingestion sees to it."""
    session.add_all(
        [IndexRemovalRow(vector_store_id=store_id, file_id=file_id) for file_id in file_ids]
    )


def delete_uses_of_file(session: Session, file_id: str) -> None:
    """A file is being deleted: take it out of every store, assistant and thread."""
    rows = session.scalars(select(VectorStoreFileRow).where(VectorStoreFileRow.id == file_id))
    for row in rows.all():
        session.delete(row)
        forget_in_index(session, row.vector_store_id, [file_id])
    for owner in _owners_with(session, file_id):
        section = owner.tool_resources["code_interpreter"]
        kept = [each for each in section["file_ids"] if each != file_id]
        owner.tool_resources = {
            **owner.tool_resources,
            "code_interpreter": {**section, "file_ids": kept},
        }


def expire_vector_stores(session: Session, at: int) -> None:
    """Take the content of expired stores away; the stores themselves stay, to say so."""
    query = select(VectorStoreRow.id).where(VectorStoreRow.expires_at <= at)
    for store_id in session.scalars(
        query.where(VectorStoreRow.id.in_(select(VectorStoreFileRow.vector_store_id)))
    ).all():
        session.add(IndexRemovalRow(vector_store_id=store_id, file_id=None))
        session.execute(
            delete(VectorStoreFileRow).where(VectorStoreFileRow.vector_store_id == store_id)
        )


def cancel_batch(
    session: Session, store_id: str, batch_id: str
) -> tuple[VectorStoreBatchRow, Sequence[str]]:
    """Cancel what of a batch is not done yet, and tell its file ids. Raises NotFoundError."""
    batch = find(session, VectorStoreBatchRow, batch_id, vector_store_id=store_id)
    waiting = (
        VectorStoreFileRow.batch_id == batch_id,
        VectorStoreFileRow.status == IN_PROGRESS,
    )
    file_ids = session.scalars(select(VectorStoreFileRow.id).where(*waiting)).all()
    if file_ids:
        batch.is_cancelled = True
        forget_in_index(session, store_id, file_ids)
        session.execute(update(VectorStoreFileRow).where(*waiting).values(status=CANCELLED))
    return batch, file_ids


def searchable_files(
    session: Session, store_ids: Collection[str], file_ids: Collection[str]
) -> set[tuple[str, str]]:
    """Which of these files may be found, as (store id, file id): the index may lag behind."""
    query = select(VectorStoreFileRow.vector_store_id, VectorStoreFileRow.id).where(
        VectorStoreFileRow.vector_store_id.in_(store_ids),
        VectorStoreFileRow.id.in_(file_ids),
        VectorStoreFileRow.status == COMPLETED,
    )
    return set(session.execute(query).tuples())


def store_that_holds(session: Session, file_id: str) -> str | None:
    """The id of a store in which this file can be found; None where there is none."""
    query = select(VectorStoreFileRow.vector_store_id).where(
        VectorStoreFileRow.id == file_id, VectorStoreFileRow.status == COMPLETED
    )
    return session.scalar(query.order_by(VectorStoreFileRow.position.desc()).limit(1))


def _owners_with(session: Session, object_id: str) -> list[AssistantRow | ThreadRow]:
    """Assistants and threads whose tool resources name this id."""
    assistants = session.scalars(
        select(AssistantRow).where(cast(AssistantRow.tool_resources, String).contains(object_id))
    )
    threads = session.scalars(
        select(ThreadRow).where(cast(ThreadRow.tool_resources, String).contains(object_id))
    )
    return [*assistants, *threads]
