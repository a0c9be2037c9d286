"""Making vector stores and putting files in: the units of work behind every way to do so."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lib.engine.clock import now
from lib.engine.errors import RefusedError
from lib.store.ids import new_id
from lib.store.queries import NotFoundError, find
from lib.store.tables import (
    FileRow,
    Json,
    ThreadRow,
    VectorStoreBatchRow,
    VectorStoreFileRow,
    VectorStoreRow,
)
from lib.store.vector_stores import IN_PROGRESS, expires_at, is_expired, touch

MOST_FILES = 10_000
AUTO_CHUNKING: Json = {
    "type": "static",
    "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
}
THREAD_STORE_EXPIRES_AFTER: Json = {"anchor": "last_active_at", "days": 7}
"""Stores that a thread or a message makes on the way are meant to be forgotten."""

TYPE = "file_search"


@dataclass(frozen=True, slots=True)
class NewStoreFile:
    """A file for a store, with a chunking strategy as the API echoes it."""

    file_id: str
    attributes: Json = field(default_factory=dict)
    chunking_strategy: Json = field(default_factory=lambda: AUTO_CHUNKING)


@dataclass(frozen=True, slots=True)
class NewVectorStore:
    """A store as asked for, with its first files."""

    name: str = ""
    description: str | None = None
    metadata: Json = field(default_factory=dict)
    expires_after: Json | None = None
    files: Sequence[NewStoreFile] = ()


def create_vector_store(session: Session, new: NewVectorStore) -> VectorStoreRow:
    """Raises NotFoundError for a file that does not exist."""
    created_at = now()
    store = VectorStoreRow(
        id=new_id("vs_"),
        created_at=created_at,
        name=new.name,
        description=new.description,
        metadata_=new.metadata,
        expires_after=new.expires_after,
        expires_at=expires_at(new.expires_after, created_at),
        last_active_at=created_at,
    )
    session.add(store)
    session.flush()
    add_files(session, store, new.files)
    return store


def create_batch(
    session: Session, store_id: str, files: Sequence[NewStoreFile]
) -> VectorStoreBatchRow:
    """Put many files in at once. Raises NotFoundError and RefusedError."""
    store = find(session, VectorStoreRow, store_id)
    batch = VectorStoreBatchRow(
        id=new_id("vsfb_"), created_at=now(), vector_store_id=store_id, is_cancelled=False
    )
    session.add(batch)
    add_files(session, store, files, batch.id)
    return batch


def add_files(
    session: Session,
    store: VectorStoreRow,
    files: Sequence[NewStoreFile],
    batch_id: str | None = None,
) -> list[VectorStoreFileRow]:
    """Put files in a store, to be made searchable. One that is in it already is put in anew.

    Raises NotFoundError for a file that does not exist, RefusedError for a store that takes none.
    """
    wanted = {new.file_id: new for new in files}
    require_alive(store)
    _require_files(session, list(wanted))
    _remove_present(session, store, list(wanted))
    _require_room(session, store, len(wanted))
    created_at = now()
    touch(store, created_at)
    rows = [
        VectorStoreFileRow(
            id=new.file_id,
            created_at=created_at,
            vector_store_id=store.id,
            batch_id=batch_id,
            status=IN_PROGRESS,
            usage_bytes=0,
            attributes=new.attributes,
            chunking_strategy=new.chunking_strategy,
            attempts=0,
        )
        for new in wanted.values()
    ]
    session.add_all(rows)
    return rows


def require_alive(store: VectorStoreRow) -> None:
    """Raises RefusedError when the store has expired."""
    if is_expired(store, now()):
        raise RefusedError(f"Vector store {store.id} is expired.", code="vector_store_expired")


def resolve_resources(session: Session, resources: Json, expires_after: Json | None) -> Json:
    """Tool resources as they are kept: stores that are asked for made, named ones checked.

    `expires_after` is the policy of a store that is made. Raises NotFoundError and RefusedError.
    """
    section = resources.get(TYPE)
    if section is None:
        return resources
    store_ids: list[str] = section.get("vector_store_ids") or []
    for store_id in store_ids:
        require_alive(find(session, VectorStoreRow, store_id))
    for wanted in section.get("vector_stores") or []:
        store_ids = [*store_ids, create_vector_store(session, _helper(wanted, expires_after)).id]
    return {**resources, TYPE: {"vector_store_ids": store_ids}}


def attach_files(session: Session, thread: ThreadRow, attachments: Sequence[Json]) -> None:
    """Make a message's attachments searchable in its thread's own store, made where there is none.

    Raises NotFoundError for a file that does not exist, RefusedError when the store has expired.
    """
    files = [NewStoreFile(item["file_id"]) for item in attachments if _is_for_search(item)]
    if not files:
        return
    section = thread.tool_resources.get(TYPE) or {}
    for store_id in section.get("vector_store_ids") or []:
        add_files(session, find(session, VectorStoreRow, store_id), files)
        return
    store = create_vector_store(
        session, NewVectorStore(expires_after=THREAD_STORE_EXPIRES_AFTER, files=files)
    )
    thread.tool_resources = {**thread.tool_resources, TYPE: {"vector_store_ids": [store.id]}}


def _helper(wanted: Json, expires_after: Json | None) -> NewVectorStore:
    chunking = wanted.get("chunking_strategy") or AUTO_CHUNKING
    return NewVectorStore(
        metadata=wanted.get("metadata") or {},
        expires_after=expires_after,
        files=[
            NewStoreFile(file_id, chunking_strategy=chunking)
            for file_id in wanted.get("file_ids") or []
        ],
    )


def _is_for_search(attachment: Json) -> bool:
    return any(tool["type"] == TYPE for tool in attachment.get("tools") or [])


def _require_files(session: Session, file_ids: list[str]) -> None:
    known = set(session.scalars(select(FileRow.id).where(FileRow.id.in_(file_ids))))
    for file_id in file_ids:
        if file_id not in known:
            raise NotFoundError("file", file_id)


def _remove_present(session: Session, store: VectorStoreRow, file_ids: list[str]) -> None:
    present = select(VectorStoreFileRow).where(
        VectorStoreFileRow.vector_store_id == store.id, VectorStoreFileRow.id.in_(file_ids)
    )
    for row in session.scalars(present).all():
        session.delete(row)
    session.flush()


def _require_room(session: Session, store: VectorStoreRow, count: int) -> None:
    held = select(func.count()).where(VectorStoreFileRow.vector_store_id == store.id)
    if (session.scalar(held) or 0) + count > MOST_FILES:
        raise RefusedError(
            f"Vector store {store.id} would hold more than {MOST_FILES:,} files. Use another store."
        )
