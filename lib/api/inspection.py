"""Extensions that show what happened inside a run: its timeline, events, model calls and trace."""

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, defer

from lib.api.dependencies import StudioDep
from lib.api.replies import json_reply
from lib.api.run_filters import MAX_INTEGER
from lib.masking import mask
from lib.observability.timeline import Moment, step_times, timeline
from lib.store.message_texts import texts_of
from lib.store.queries import find
from lib.store.tables import EventRow, Json, MessageRow, ModelCallRow, RunRow, StepRow
from lib.studio import Studio

router = APIRouter(tags=["Extensions"])

_MOST_EVENTS = 1000
_BEGINNING = 400
"""Characters of a message that are told along with its step."""


@router.get("/threads/{thread_id}/runs/{run_id}/inspection")
async def get_inspection(thread_id: str, run_id: str, studio: StudioDep) -> Response:
    """The run's timeline, what its steps cost, and what the model was told of each tool call."""
    return await _masked(studio, partial(_inspection, thread_id=thread_id, run_id=run_id))


@router.get("/threads/{thread_id}/runs/{run_id}/event_log")
async def get_event_log(
    thread_id: str,
    run_id: str,
    studio: StudioDep,
    deltas: bool = False,
    after: Annotated[int, Query(ge=0, le=MAX_INTEGER)] = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST_EVENTS)] = _MOST_EVENTS,
) -> Response:
    """The run's events with their times (Unix milliseconds), oldest first."""
    read = partial(
        _event_log, thread_id=thread_id, run_id=run_id, deltas=deltas, after=after, limit=limit
    )
    return await _masked(studio, read)


@router.get("/threads/{thread_id}/runs/{run_id}/model_calls")
async def get_model_calls(
    thread_id: str,
    run_id: str,
    studio: StudioDep,
    number: Annotated[int | None, Query(ge=1, le=MAX_INTEGER, description="This one only.")] = None,
    with_input: bool = True,
) -> Response:
    """Every call of a model for this run, oldest first, with its exact input."""
    read = partial(
        _model_calls, thread_id=thread_id, run_id=run_id, number=number, with_input=with_input
    )
    return await _masked(studio, read)


@router.get("/threads/{thread_id}/runs/{run_id}/trace")
async def get_trace(thread_id: str, run_id: str, studio: StudioDep) -> Response:
    """Where the run's trace has arrived, and the link to it in AgentOps."""
    trace = await studio.store.read(
        partial(studio.tracing.of_run, thread_id=thread_id, run_id=run_id)
    )
    return json_reply(json.dumps(trace))


async def _masked(studio: Studio, read: Any) -> Response:
    body = json.dumps(await studio.store.read(read), ensure_ascii=False)
    return json_reply(mask(body, studio.settings.secrets()))


def _inspection(session: Session, thread_id: str, run_id: str) -> Json:
    run = find(session, RunRow, run_id, thread_id=thread_id)
    steps = session.scalars(
        select(StepRow).where(StepRow.run_id == run_id).order_by(StepRow.position)
    ).all()
    calls = session.scalars(_calls_of(run_id).options(defer(ModelCallRow.request))).all()
    moments = [
        Moment(*row.tuple())
        for row in session.execute(
            select(EventRow.name, EventRow.subject_id, EventRow.at_ms)
            .where(EventRow.run_id == run_id, EventRow.name.not_like("%.delta"))
            .order_by(EventRow.id)
        )
    ]
    times = step_times(moments)
    costs = _costs_of_steps(calls)
    said = _said(session, run_id)
    spans = timeline(moments, steps, calls, time.time_ns() // 1_000_000)
    return {
        "object": "thread.run.inspection",
        "run_id": run_id,
        "duration_ms": run.duration_ms,
        "waited_ms": run.waited_ms,
        "cost": run.cost,
        "spans": [asdict(span) for span in spans],
        "steps": [_step(step, times, costs, said) for step in steps],
        "tool_calls": [call for step in steps for call in _tool_calls(step)],
    }


def _step(
    step: StepRow, times: Any, costs: Mapping[str, list[float | None]], said: Mapping[str, str]
) -> Json:
    started_ms, ended_ms = times.get(step.id, (step.created_at * 1000, None))
    known = [cost for cost in costs[step.id] if cost is not None]
    made = step.step_details.get("message_creation", {})
    return {
        "id": step.id,
        "started_ms": started_ms,
        "ended_ms": ended_ms,
        "cost": sum(known) if known and len(known) == len(costs[step.id]) else None,
        "said": said.get(made.get("message_id")),
    }


def _costs_of_steps(calls: Sequence[ModelCallRow]) -> Mapping[str, list[float | None]]:
    costs: defaultdict[str, list[float | None]] = defaultdict(list)
    for call in calls:
        if call.step_id and call.usage:
            costs[call.step_id].append(call.cost)
    return costs


def _said(session: Session, run_id: str) -> dict[str, str]:
    """How the text of each of the run's messages begins, by its id."""
    rows = session.execute(
        select(MessageRow.id, MessageRow.content).where(MessageRow.run_id == run_id)
    )
    return {
        message_id: "\n\n".join(texts_of(content))[:_BEGINNING]
        for message_id, content in rows.tuples()
    }


def _tool_calls(step: StepRow) -> list[Json]:
    return [
        {
            "id": call["id"],
            "step_id": step.id,
            "arguments": told.get("arguments"),
            "output": told.get("output"),
            "started_ms": told.get("started_ms"),
            "ended_ms": told.get("ended_ms"),
            "sources": step.tool_states.get(call["id"], {}).get("sources", []),
        }
        for call in step.step_details.get("tool_calls", [])
        if (told := step.tool_outputs.get(call["id"]))
    ]


def _event_log(
    session: Session, thread_id: str, run_id: str, deltas: bool, after: int, limit: int
) -> Json:
    find(session, RunRow, run_id, thread_id=thread_id)
    query = select(EventRow).where(EventRow.run_id == run_id, EventRow.id > after)
    if not deltas:
        query = query.where(EventRow.name.not_like("%.delta"))
    rows = session.scalars(query.order_by(EventRow.id).limit(limit + 1)).all()
    return {
        "object": "list",
        "data": [
            {
                "object": "thread.run.event",
                "id": row.id,
                "event": row.name,
                "at_ms": row.at_ms,
                "subject_id": row.subject_id,
                "data": json.loads(row.data),
            }
            for row in rows[:limit]
        ],
        "has_more": len(rows) > limit,
    }


def _model_calls(
    session: Session, thread_id: str, run_id: str, number: int | None, with_input: bool
) -> Json:
    find(session, RunRow, run_id, thread_id=thread_id)
    query = _calls_of(run_id)
    if not with_input:
        query = query.options(defer(ModelCallRow.request))
    if number is not None:
        query = query.offset(number - 1).limit(1)
    rows = session.scalars(query).all()
    first = number or 1
    data = [_as_json(row, place, with_input) for place, row in enumerate(rows, start=first)]
    return {"object": "list", "data": data}


def _calls_of(run_id: str) -> Select[ModelCallRow]:
    return select(ModelCallRow).where(ModelCallRow.run_id == run_id).order_by(ModelCallRow.position)


def _as_json(row: ModelCallRow, number: int, with_input: bool) -> dict[str, Any]:
    shown = {
        "object": "thread.run.model_call",
        "number": number,
        "run_id": row.run_id,
        "step_id": row.step_id,
        "model": row.model,
        "answered_by": row.answered_by,
        "finish_reason": row.finish_reason,
        "started_ms": row.started_ms,
        "first_token_ms": row.first_token_ms,
        "ended_ms": row.ended_ms,
        "usage": row.usage,
        "cost": row.cost,
        "error": row.error,
    }
    return {**shown, "input": json.loads(row.request)} if with_input else shown
