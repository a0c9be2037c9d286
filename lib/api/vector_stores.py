"""`/vector_stores`: create, list, retrieve, modify, delete, search."""

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from fastapi import Body as FromBody
from pydantic import Discriminator, Field, Tag
from sqlalchemy.orm import Session

from lib.api.bodies import Body, ChunkingStrategy, Metadata, chunking_as_json
from lib.api.dependencies import StoreDep, StudioDep
from lib.api.errors import ApiError
from lib.api.replies import Paging, deleted_reply, json_reply, texts_reply
from lib.engine.clock import now
from lib.engine.vector_stores import (
    NewStoreFile,
    NewVectorStore,
    create_vector_store,
    require_alive,
)
from lib.store import vector_stores as stored
from lib.store.objects import to_json
from lib.store.paging import PageRequest
from lib.store.queries import find
from lib.store.tables import Json, VectorStoreRow
from lib.tools.file_search.index.filters import Filter, FilterError, parse_filter
from lib.tools.file_search.ranking import RankingOptions
from lib.tools.file_search.search import SearchResult

router = APIRouter(tags=["Vector stores"])

_MOST_FIRST_FILES = 500


class ExpiresAfter(Body):
    anchor: Literal["last_active_at"]
    days: int = Field(ge=1, le=365)


class NewStore(Body):
    name: str | None = Field(default=None, max_length=256)
    description: str | None = Field(default=None, max_length=512)
    file_ids: list[str] | None = Field(default=None, max_length=_MOST_FIRST_FILES)
    chunking_strategy: ChunkingStrategy | None = None
    expires_after: ExpiresAfter | None = None
    metadata: Metadata | None = None


class StoreChanges(Body):
    name: str | None = Field(default=None, max_length=256)
    expires_after: ExpiresAfter | None = None
    metadata: Metadata | None = None


class SearchRanking(Body):
    ranker: Literal["none", "auto", "default-2024-11-15"] = "auto"
    score_threshold: float = Field(default=0.0, ge=0.0, le=1.0)


def _kind_of_query(value: object) -> str:
    return "queries" if isinstance(value, list) else "query"


Query = Annotated[str, Field(min_length=1)]


class Search(Body):
    query: Annotated[
        Annotated[Query, Tag("query")]
        | Annotated[Annotated[list[Query], Field(min_length=1, max_length=16)], Tag("queries")],
        Discriminator(_kind_of_query),
    ]
    filters: dict[str, Any] | None = None
    max_num_results: int | None = Field(default=None, ge=1, le=50)
    ranking_options: SearchRanking | None = None
    rewrite_query: bool | None = None


@router.post("/vector_stores")
async def create_store(
    studio: StudioDep, body: Annotated[NewStore | None, FromBody()] = None
) -> Response:
    new = body or NewStore()
    chunking = chunking_as_json(new.chunking_strategy)
    wanted = NewVectorStore(
        name=new.name or "",
        description=new.description,
        metadata=dict(new.metadata or {}),
        expires_after=_policy(new.expires_after),
        files=[NewStoreFile(file_id, {}, chunking) for file_id in new.file_ids or []],
    )

    def create(session: Session) -> str:
        store = create_vector_store(session, wanted)
        session.flush()
        return _text(session, store)

    text = await studio.store.write(create)
    studio.ingestion.wake()
    return json_reply(text)


@router.get("/vector_stores")
async def get_stores(paging: Paging, store: StoreDep) -> Response:
    def read(session: Session) -> Response:
        return _list(session, paging)

    return await store.read(read)


@router.get("/vector_stores/{vector_store_id}")
async def retrieve_store(vector_store_id: str, store: StoreDep) -> Response:
    return json_reply(
        await store.read(
            lambda session: _text(session, find(session, VectorStoreRow, vector_store_id))
        )
    )


@router.post("/vector_stores/{vector_store_id}")
async def modify_store(vector_store_id: str, body: StoreChanges, store: StoreDep) -> Response:
    def modify(session: Session) -> str:
        row = find(session, VectorStoreRow, vector_store_id)
        if body.name is not None:
            row.name = body.name
        if "metadata" in body.model_fields_set:
            row.metadata_ = dict(body.metadata or {})
        if "expires_after" in body.model_fields_set:
            require_alive(row)
            row.expires_after = _policy(body.expires_after)
            stored.touch(row, now())
        return _text(session, row)

    return json_reply(await store.write(modify))


@router.delete("/vector_stores/{vector_store_id}")
async def delete_store(vector_store_id: str, studio: StudioDep) -> Response:
    """Delete a store; its files stay. Assistants and threads that used it lose the link."""
    await studio.store.write(lambda session: stored.delete_vector_store(session, vector_store_id))
    studio.ingestion.let_go(lambda job: job.store_id == vector_store_id)
    return deleted_reply(vector_store_id, "vector_store")


@router.post("/vector_stores/{vector_store_id}/search")
async def search_store(vector_store_id: str, body: Search, studio: StudioDep) -> Response:
    """Search a store. Each result also tells, as extensions, its pages and why it ranks."""
    wanted = _filter(body.filters)
    await studio.store.read(
        lambda session: require_alive(find(session, VectorStoreRow, vector_store_id))
    )
    queries = [body.query] if isinstance(body.query, str) else body.query
    options = RankingOptions(
        max_num_results=body.max_num_results or 10,
        score_threshold=body.ranking_options.score_threshold if body.ranking_options else 0.0,
    )
    results = await studio.search.search([vector_store_id], queries, options, wanted)
    page = {
        "object": "vector_store.search_results.page",
        "search_query": queries,
        "data": [_result(result) for result in results],
        "has_more": False,
        "next_page": None,
    }
    return json_reply(json.dumps(page, ensure_ascii=False))


def _text(session: Session, row: VectorStoreRow) -> str:
    return _with_tally(row, stored.tallies(session, [row.id])[row.id])


def _list(session: Session, paging: PageRequest) -> Response:
    page = stored.list_vector_stores(session, paging)
    ids = [row.id for row in page.rows]
    tallies = stored.tallies(session, ids)
    texts = [_with_tally(row, tallies[row.id]) for row in page.rows]
    return texts_reply(ids, texts, page.has_more)


def _with_tally(row: VectorStoreRow, tally: stored.Tally) -> str:
    return to_json(
        row,
        file_counts=tally.file_counts,
        usage_bytes=tally.usage_bytes,
        is_expired=stored.is_expired(row, now()),
    )


def _policy(expires_after: ExpiresAfter | None) -> Json | None:
    return expires_after.model_dump() if expires_after else None


def _filter(given: dict[str, Any] | None) -> Filter | None:
    if given is None:
        return None
    try:
        return parse_filter(given)
    except FilterError as error:
        raise ApiError(400, f"Invalid 'filters': {error}", "filters", "invalid_value") from error


def _result(result: SearchResult) -> Json:
    return {
        "file_id": result.file.key.file_id,
        "filename": result.file.filename,
        "score": round(result.score, 6),
        "attributes": dict(result.file.attributes),
        "content": [{"type": "text", "text": result.chunk.text}],
        "first_page": result.chunk.first_page,
        "last_page": result.chunk.last_page,
        "page_starts": [{"offset": start, "page": page} for start, page in result.chunk.pages],
        "keyword_rank": result.text_place,
        "meaning_rank": result.vector_place,
    }
