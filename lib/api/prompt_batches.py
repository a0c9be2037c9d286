"""Batches of prompts, an extension: many questions to one assistant, some at a time.

Not OpenAI's `/v1/batches`, which takes files of requests.
"""

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field, StringConstraints
from sqlalchemy.orm import Session

from lib.api.bodies import Body
from lib.api.csv_lines import csv_lines
from lib.api.dependencies import StoreDep, StudioDep
from lib.api.replies import deleted_reply, json_reply
from lib.api.run_filters import MAX_INTEGER
from lib.engine.batches import NewBatch
from lib.masking import mask
from lib.store.batches import (
    BatchItem,
    counts,
    delete_batch,
    find_batch,
    list_batches,
    list_items,
)
from lib.store.tables import BatchRow

router = APIRouter(tags=["Extensions"])

_MOST_PROMPTS = 10_000
_MOST_AT_ONCE = 100
_LONGEST_PROMPT = 256_000
_MOST_ITEMS = 1000
_COLUMNS = ("number", "prompt", "status", "answer", "error", "run_id", "thread_id")

Prompt = Annotated[str, StringConstraints(min_length=1, max_length=_LONGEST_PROMPT)]


class NewBatchBody(Body):
    assistant_id: str
    prompts: list[Prompt] = Field(min_length=1, max_length=_MOST_PROMPTS)
    name: str = Field(default="Batch", max_length=200)
    concurrency: int = Field(default=4, ge=1, le=_MOST_AT_ONCE)


@router.post("/prompt_batches")
async def create_batch(body: NewBatchBody, studio: StudioDep) -> Response:
    """Keep the prompts and begin to run them, `concurrency` at a time."""
    new = NewBatch(body.name, body.assistant_id, body.prompts, body.concurrency)
    batch = await studio.batches.create(new)
    return await _reply(studio.store, batch.id)


@router.get("/prompt_batches")
async def get_batches(store: StoreDep, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Response:
    """The newest batches with their progress."""
    found = await store.read(partial(list_batches, limit=limit))
    data = [_as_json(batch, progress) for batch, progress in found]
    return json_reply(json.dumps({"object": "list", "data": data}))


@router.get("/prompt_batches/{batch_id}")
async def retrieve_batch(batch_id: str, store: StoreDep) -> Response:
    return await _reply(store, batch_id)


@router.get("/prompt_batches/{batch_id}/items")
async def get_items(
    batch_id: str,
    studio: StudioDep,
    after: Annotated[int, Query(ge=0, le=MAX_INTEGER)] = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST_ITEMS)] = 100,
    status: Annotated[list[str] | None, Query()] = None,
) -> Response:
    """The prompts behind number `after`, each with what became of it."""

    def read(session: Session) -> list[BatchItem]:
        batch = find_batch(session, batch_id)
        return list_items(session, batch, after, limit + 1, status or ())

    items = await studio.store.read(read)
    body = {
        "object": "list",
        "data": [_item(item) for item in items[:limit]],
        "has_more": len(items) > limit,
    }
    return json_reply(mask(json.dumps(body), studio.settings.secrets()))


@router.get("/prompt_batches/{batch_id}/export")
async def export_batch(
    batch_id: str, studio: StudioDep, format: Literal["csv", "jsonl"] = "csv"
) -> StreamingResponse:
    """Every prompt with its answer."""
    batch = await studio.store.read(partial(find_batch, batch_id=batch_id))
    secrets = studio.settings.secrets()

    async def pieces() -> AsyncIterator[str]:
        if format == "csv":
            yield csv_lines([_COLUMNS])
        after, more = 0, True
        while more:
            items = await studio.store.read(
                partial(list_items, batch=batch, after=after, limit=_MOST_ITEMS)
            )
            more = len(items) == _MOST_ITEMS
            after = items[-1].item.number if items else after
            yield mask("".join(_line(_item(item), format) for item in items), secrets)

    headers = {"Content-Disposition": f'attachment; filename="answers.{format}"'}
    media_type = "text/csv" if format == "csv" else "application/jsonl"
    return StreamingResponse(pieces(), media_type=media_type, headers=headers)


@router.post("/prompt_batches/{batch_id}/cancel")
async def cancel_batch(batch_id: str, studio: StudioDep) -> Response:
    await studio.batches.cancel(batch_id)
    return await _reply(studio.store, batch_id)


@router.post("/prompt_batches/{batch_id}/retry")
async def retry_batch(batch_id: str, studio: StudioDep) -> Response:
    """Run every prompt again that failed, expired, was stopped or cut short."""
    await studio.batches.retry(batch_id)
    return await _reply(studio.store, batch_id)


@router.delete("/prompt_batches/{batch_id}")
async def remove_batch(batch_id: str, studio: StudioDep) -> Response:
    """Forget the batch, stopping it first; its threads and runs stay."""
    await studio.batches.cancel(batch_id)
    await studio.store.write(partial(delete_batch, batch_id=batch_id))
    return deleted_reply(batch_id, "prompt_batch")


async def _reply(store: Any, batch_id: str) -> Response:
    def read(session: Session) -> tuple[BatchRow, dict[str, int]]:
        batch = find_batch(session, batch_id)
        return batch, counts(session, batch)

    batch, progress = await store.read(read)
    return json_reply(json.dumps(_as_json(batch, progress)))


def _as_json(batch: BatchRow, progress: dict[str, int]) -> dict[str, Any]:
    return {
        "id": batch.id,
        "object": "prompt_batch",
        "created_at": batch.created_at,
        "name": batch.name,
        "assistant_id": batch.assistant_id,
        "concurrency": batch.concurrency,
        "cancelled_at": batch.cancelled_at,
        "total": sum(progress.values()),
        "by_status": progress,
    }


def _item(found: BatchItem) -> dict[str, Any]:
    run = found.run
    return {
        "object": "prompt_batch.item",
        "number": found.item.number,
        "prompt": found.item.prompt,
        "status": found.status,
        "answer": found.answer,
        "error": found.error,
        "run_id": run.id if run else None,
        "thread_id": run.thread_id if run else None,
        "attempts": found.item.attempts,
        "duration_ms": run.duration_ms if run else None,
        "cost": run.cost if run else None,
    }


def _line(item: dict[str, Any], format: str) -> str:
    if format == "jsonl":
        return json.dumps(item, ensure_ascii=False) + "\n"
    return csv_lines([[item[name] for name in _COLUMNS]])
