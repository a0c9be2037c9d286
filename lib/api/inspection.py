"""Extensions that show what happened inside a run: its model calls and its trace."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from lib.api.dependencies import StoreDep, StudioDep
from lib.api.replies import json_reply
from lib.store.queries import find
from lib.store.tables import ModelCallRow, RunRow

router = APIRouter(tags=["Extensions"])


@router.get("/threads/{thread_id}/runs/{run_id}/model_calls")
async def get_model_calls(thread_id: str, run_id: str, store: StoreDep) -> Response:
    """Every call of a model for this run, oldest first, with its exact input."""
    rows = await store.read(partial(_model_calls, thread_id=thread_id, run_id=run_id))
    return json_reply(json.dumps({"object": "list", "data": [_as_json(row) for row in rows]}))


@router.get("/threads/{thread_id}/runs/{run_id}/trace")
async def get_trace(thread_id: str, run_id: str, studio: StudioDep) -> Response:
    """Where the run's trace has arrived, and the link to it in AgentOps."""
    trace = await studio.store.read(
        partial(studio.tracing.of_run, thread_id=thread_id, run_id=run_id)
    )
    return json_reply(json.dumps(trace))


def _model_calls(session: Session, thread_id: str, run_id: str) -> Sequence[ModelCallRow]:
    find(session, RunRow, run_id, thread_id=thread_id)
    query = select(ModelCallRow).where(ModelCallRow.run_id == run_id)
    return session.scalars(query.order_by(ModelCallRow.position)).all()


def _as_json(row: ModelCallRow) -> dict[str, Any]:
    return {
        "object": "thread.run.model_call",
        "run_id": row.run_id,
        "step_id": row.step_id,
        "model": row.model,
        "answered_by": row.answered_by,
        "finish_reason": row.finish_reason,
        "started_ms": row.started_ms,
        "first_token_ms": row.first_token_ms,
        "ended_ms": row.ended_ms,
        "usage": row.usage,
        "error": row.error,
        "input": json.loads(row.request),
    }
