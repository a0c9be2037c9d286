"""`/vector_stores/{id}/files` and `/file_batches`: create, list, retrieve, modify, delete, cancel.

An id of a file in a store is the file's own.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field, StringConstraints, model_validator
from sqlalchemy.orm import Session

from lib.api.bodies import Body, ChunkingStrategy, chunking_as_json
from lib.api.dependencies import StoreDep, StudioDep
from lib.api.replies import Paging, deleted_reply, json_reply, list_reply, object_reply
from lib.engine.errors import RefusedError
from lib.engine.reading_watch import ReadingWatch
from lib.engine.vector_stores import NewStoreFile, add_files, create_batch
from lib.store import vector_stores as stored
from lib.store.objects import to_json
from lib.store.paging import Page
from lib.store.queries import find
from lib.store.tables import (
    FileRow,
    Json,
    VectorStoreBatchRow,
    VectorStoreFileRow,
    VectorStoreRow,
)
from lib.tools.file_search.chunking import joined_text
from lib.tools.file_search.index.protocol import FileKey, IndexedFile

router = APIRouter(tags=["Vector stores"])

_MOST_IN_BATCH = 2000
_POLL_AFTER_MS = "200"

Attributes = Annotated[
    dict[
        Annotated[str, StringConstraints(max_length=64)],
        bool | int | float | Annotated[str, StringConstraints(max_length=512)],
    ],
    Field(max_length=16),
]
StatusFilter = Annotated[
    Literal["in_progress", "completed", "failed", "cancelled"] | None, Query(alias="filter")
]


class NewFile(Body):
    file_id: str
    attributes: Attributes | None = None
    chunking_strategy: ChunkingStrategy | None = None

    def as_new_store_file(self) -> NewStoreFile:
        chunking = chunking_as_json(self.chunking_strategy)
        return NewStoreFile(self.file_id, dict(self.attributes or {}), chunking)


class NewBatch(Body):
    file_ids: list[str] | None = Field(default=None, min_length=1, max_length=_MOST_IN_BATCH)
    files: list[NewFile] | None = Field(default=None, min_length=1, max_length=_MOST_IN_BATCH)
    attributes: Attributes | None = None
    chunking_strategy: ChunkingStrategy | None = None

    @model_validator(mode="after")
    def _either_ids_or_files(self) -> "NewBatch":
        if (self.file_ids is None) == (self.files is None):
            raise ValueError("set either 'file_ids' or 'files'.")
        return self

    def as_new_store_files(self) -> list[NewStoreFile]:
        if self.files is not None:
            return [file.as_new_store_file() for file in self.files]
        chunking = chunking_as_json(self.chunking_strategy)
        attributes = dict(self.attributes or {})
        return [NewStoreFile(file_id, attributes, chunking) for file_id in self.file_ids or []]


class AttributeChanges(Body):
    attributes: Attributes | None


@router.post("/vector_stores/{vector_store_id}/files")
async def create_file(vector_store_id: str, body: NewFile, studio: StudioDep) -> Response:
    """Put a file in a store; it is made searchable in the background."""

    def add(session: Session) -> VectorStoreFileRow:
        store = find(session, VectorStoreRow, vector_store_id)
        return add_files(session, store, [body.as_new_store_file()])[0]

    row = await studio.store.write(add)
    studio.ingestion.begin_anew(vector_store_id, [body.file_id])
    return object_reply(row)


@router.get("/vector_stores/{vector_store_id}/files")
async def get_files(
    vector_store_id: str, paging: Paging, store: StoreDep, status: StatusFilter = None
) -> Response:
    return list_reply(
        await store.read(
            lambda session: stored.list_vector_store_files(
                session, vector_store_id, None, status, paging
            )
        )
    )


@router.get("/vector_stores/{vector_store_id}/files/{file_id}")
async def retrieve_file(vector_store_id: str, file_id: str, store: StoreDep) -> Response:
    row = await store.read(lambda session: _find_file(session, vector_store_id, file_id))
    return _soon_again(object_reply(row))


@router.post("/vector_stores/{vector_store_id}/files/{file_id}")
async def modify_file(
    vector_store_id: str, file_id: str, body: AttributeChanges, studio: StudioDep
) -> Response:
    def modify(session: Session) -> VectorStoreFileRow:
        row = _find_file(session, vector_store_id, file_id)
        row.attributes = dict(body.attributes or {})
        return row

    row = await studio.store.write(modify)
    key = FileKey(vector_store_id, file_id)
    await asyncio.to_thread(studio.ingestion.index.set_attributes, key, row.attributes)
    return object_reply(row)


@router.delete("/vector_stores/{vector_store_id}/files/{file_id}")
async def delete_file(vector_store_id: str, file_id: str, studio: StudioDep) -> Response:
    """Take a file out of a store; the file itself stays."""
    await studio.store.write(
        lambda session: stored.delete_vector_store_file(session, vector_store_id, file_id)
    )
    key = FileKey(vector_store_id, file_id)
    studio.ingestion.let_go(lambda job: job.key == key)
    return deleted_reply(file_id, "vector_store.file")


@router.get("/vector_stores/{vector_store_id}/files/{file_id}/content")
async def retrieve_content(vector_store_id: str, file_id: str, studio: StudioDep) -> Response:
    """The text that was read out of a file."""
    row = await studio.store.read(lambda session: _find_file(session, vector_store_id, file_id))
    if row.status == stored.IN_PROGRESS:
        raise RefusedError(f"File {file_id} is still being processed. Try again in a moment.")
    key = FileKey(vector_store_id, file_id)
    text = joined_text(await asyncio.to_thread(studio.ingestion.index.chunks, key))
    page = {
        "object": "vector_store.file_content.page",
        "data": [{"type": "text", "text": text}] if text else [],
        "has_more": False,
        "next_page": None,
    }
    return json_reply(json.dumps(page, ensure_ascii=False))


@router.get("/vector_stores/{vector_store_id}/progress", tags=["Extensions"])
async def get_progress(vector_store_id: str, paging: Paging, studio: StudioDep) -> Response:
    """Extension: a store's files, each with its name, how far it is and what the index holds."""

    def read(session: Session) -> Page[VectorStoreFileRow]:
        return stored.list_vector_store_files(session, vector_store_id, None, None, paging)

    page = await studio.store.read(read)
    files = await studio.store.read(
        lambda session: {row.id: find(session, FileRow, row.id) for row in page.rows}
    )
    indexed = await asyncio.to_thread(
        lambda: {row.id: studio.ingestion.index.file(_key(row)) for row in page.rows}
    )
    return list_reply(
        page,
        lambda row: _with_progress(
            row,
            files[row.id],
            _progress(studio.ingestion.watch, _key(row)),
            indexed[row.id],
            studio.ingestion.embedders.name,
        ),
    )


@router.post("/vector_stores/{vector_store_id}/file_batches")
async def create_file_batch(vector_store_id: str, body: NewBatch, studio: StudioDep) -> Response:
    """Put many files in a store at once."""

    files = body.as_new_store_files()

    def create(session: Session) -> str:
        batch = create_batch(session, vector_store_id, files)
        session.flush()
        return _batch_text(session, batch)

    text = await studio.store.write(create)
    studio.ingestion.begin_anew(vector_store_id, [file.file_id for file in files])
    return json_reply(text)


@router.get("/vector_stores/{vector_store_id}/file_batches/{batch_id}")
async def retrieve_file_batch(vector_store_id: str, batch_id: str, store: StoreDep) -> Response:
    def read(session: Session) -> str:
        batch = find(session, VectorStoreBatchRow, batch_id, vector_store_id=vector_store_id)
        return _batch_text(session, batch)

    return _soon_again(json_reply(await store.read(read)))


@router.post("/vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel")
async def cancel_file_batch(vector_store_id: str, batch_id: str, studio: StudioDep) -> Response:
    """Cancel what of a batch is not searchable yet; the rest stays."""

    def cancel(session: Session) -> tuple[str, Sequence[str]]:
        batch, file_ids = stored.cancel_batch(session, vector_store_id, batch_id)
        return _batch_text(session, batch), file_ids

    text, file_ids = await studio.store.write(cancel)
    unwanted = {FileKey(vector_store_id, file_id) for file_id in file_ids}
    studio.ingestion.let_go(lambda job: job.key in unwanted)
    return json_reply(text)


@router.get("/vector_stores/{vector_store_id}/file_batches/{batch_id}/files")
async def get_batch_files(
    vector_store_id: str,
    batch_id: str,
    paging: Paging,
    store: StoreDep,
    status: StatusFilter = None,
) -> Response:
    return list_reply(
        await store.read(
            lambda session: stored.list_vector_store_files(
                session, vector_store_id, batch_id, status, paging
            )
        )
    )


def _soon_again(reply: Response) -> Response:
    """Tell clients that poll how soon to ask again; left alone they wait a whole second."""
    reply.headers["openai-poll-after-ms"] = _POLL_AFTER_MS
    return reply


def _find_file(session: Session, store_id: str, file_id: str) -> VectorStoreFileRow:
    find(session, VectorStoreRow, store_id)
    return find(session, VectorStoreFileRow, file_id, vector_store_id=store_id)


def _key(row: VectorStoreFileRow) -> FileKey:
    return FileKey(row.vector_store_id, row.id)


def _batch_text(session: Session, batch: VectorStoreBatchRow) -> str:
    return to_json(batch, file_counts=stored.batch_counts(session, batch.id))


def _progress(watch: ReadingWatch, key: FileKey) -> Json | None:
    progress = watch.progress(key)
    return {**asdict(progress), "seconds_left": watch.seconds_left(key)} if progress else None


def _with_progress(
    row: VectorStoreFileRow,
    file: FileRow,
    progress: Json | None,
    indexed: IndexedFile | None,
    embedder: str | None,
) -> str:
    shown: Json = json.loads(to_json(row))
    shown["filename"] = file.filename
    shown["bytes"] = file.bytes
    shown["progress"] = progress
    shown["chunk_count"] = indexed.chunk_count if indexed else 0
    shown["is_embedded"] = bool(indexed and indexed.is_embedded)
    waits = row.status == stored.COMPLETED and embedder not in (None, row.embedder)
    shown["waits_for_embedder"] = waits
    return json.dumps(shown, ensure_ascii=False)
