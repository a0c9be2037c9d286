"""Extensions about many runs at once: what they come to, their export, and bulk actions."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from lib.api.bodies import Body
from lib.api.csv_lines import csv_lines
from lib.api.dependencies import StoreDep, StudioDep
from lib.api.listed_runs import listed_run
from lib.api.replies import json_reply
from lib.api.run_filters import Filters
from lib.engine.bulk import cancel_runs, delete_runs
from lib.masking import mask
from lib.store.database import Store
from lib.store.paging import PageRequest
from lib.store.run_queries import ListedRun, RunFilter, list_runs, models_that_answered
from lib.store.run_statistics import GroupedBy, figures_by, total_of

router = APIRouter(tags=["Extensions"])

_MOST_GROUPS = 1000
_MOST_AT_ONCE = 1000
_EXPORTED_AT_ONCE = 500
_HALF_A_DAY = 14 * 3600
_COLUMNS = (
    "id",
    "created_at",
    "status",
    "assistant_id",
    "assistant_name",
    "thread_id",
    "thread_title",
    "model",
    "answered_by",
    "step_count",
    "duration_ms",
    "waited_ms",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "cost",
    "error",
)


class BulkAction(Body):
    action: Literal["cancel", "delete"]
    run_ids: list[str] = Field(min_length=1, max_length=_MOST_AT_ONCE)


@router.get("/runs/stats")
async def get_run_stats(
    wanted: Filters,
    store: StoreDep,
    by: Annotated[GroupedBy | None, Query(description="Also the figures of each group.")] = None,
    utc_offset: Annotated[int, Query(ge=-_HALF_A_DAY, le=_HALF_A_DAY)] = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST_GROUPS)] = 100,
) -> Response:
    """Counts by status, tokens, cost and durations of all runs that the filter lets through."""
    total = await store.read(lambda session: total_of(session, wanted))
    groups = (
        await store.read(lambda session: figures_by(session, wanted, by, utc_offset, limit))
        if by
        else []
    )
    body = {
        "object": "run.stats",
        "total": asdict(total),
        "groups": [asdict(group) for group in groups],
    }
    return json_reply(json.dumps(body))


@router.get("/runs/models")
async def list_run_models(store: StoreDep) -> Response:
    """The models that answered runs: the names that the filter `model` knows."""
    return json_reply(
        json.dumps({"object": "list", "data": await store.read(models_that_answered)})
    )


@router.get("/runs/export")
async def export_runs(
    wanted: Filters, studio: StudioDep, format: Literal["csv", "jsonl"] = "jsonl"
) -> StreamingResponse:
    """All runs that the filter lets through, newest first, as they are read."""
    secrets = studio.settings.secrets()

    async def pieces() -> AsyncIterator[str]:
        if format == "csv":
            yield csv_lines([_COLUMNS])
        async for runs in _all_runs(studio.store, wanted):
            yield mask(_as_text(runs, format), secrets)

    media_type = "text/csv" if format == "csv" else "application/jsonl"
    headers = {"Content-Disposition": f'attachment; filename="runs.{format}"'}
    return StreamingResponse(pieces(), media_type=media_type, headers=headers)


@router.post("/runs/bulk")
async def change_runs(body: BulkAction, studio: StudioDep) -> Response:
    """Cancel or delete runs; those that cannot be are left alone and named with the reason."""
    act = cancel_runs if body.action == "cancel" else delete_runs
    done, refused = await act(studio.engine, studio.store, list(dict.fromkeys(body.run_ids)))
    return json_reply(
        json.dumps(
            {
                "object": "run.bulk",
                "action": body.action,
                "done": done,
                "refused": [{"id": id, "message": why} for id, why in refused.items()],
            }
        )
    )


async def _all_runs(store: Store, wanted: RunFilter) -> AsyncIterator[list[ListedRun]]:
    after: str | None = None
    has_more = True
    while has_more:
        request = PageRequest(_EXPORTED_AT_ONCE, after=after)
        runs, has_more = await store.read(
            lambda session, request=request: list_runs(session, wanted, request)  # type: ignore[misc]
        )
        if runs:
            after = runs[-1].run.id
            yield runs


def _as_text(runs: list[ListedRun], format: str) -> str:
    if format == "csv":
        return csv_lines(_csv_row(item) for item in runs)
    return "".join(f"{listed_run(item)}\n" for item in runs)


def _csv_row(item: ListedRun) -> list[Any]:
    run = item.run
    error = run.last_error["message"] if run.last_error else None
    extra = {
        "assistant_name": item.assistant_name,
        "thread_title": item.thread_title,
        "step_count": item.step_count,
        "error": error,
    }
    return [extra[name] if name in extra else getattr(run, name) for name in _COLUMNS]
