"""What a run came to: how long it took and waited, its tokens and its cost, written at its end."""

from itertools import pairwise

from sqlalchemy import bindparam, case, func, select, update
from sqlalchemy.orm import Session

from lib.engine.usage import usage_from_json
from lib.store.tables import EventRow, ModelCallRow, RunRow, StepRow

_MOMENTS = (
    select(EventRow.name, EventRow.at_ms)
    .where(
        EventRow.run_id == bindparam("run_id"),
        EventRow.subject_id == bindparam("run_id"),
    )
    .order_by(EventRow.id)
)
_USAGE = select(RunRow.usage).where(RunRow.id == bindparam("run_id"))
_STEPS = select(func.count()).where(StepRow.run_id == bindparam("run_id"))
# Null when a price is not known, or when nothing is known to have been used.
_COST = select(
    case((func.count() == func.count(ModelCallRow.cost), func.sum(ModelCallRow.cost)))
).where(ModelCallRow.run_id == bindparam("run_id"), ModelCallRow.usage.is_not(None))
_NOTE = (
    update(RunRow)
    .where(RunRow.id == bindparam("run_id"))
    .values(
        duration_ms=bindparam("duration"),
        waited_ms=bindparam("waited"),
        step_count=_STEPS.scalar_subquery(),
        prompt_tokens=bindparam("prompt"),
        cached_tokens=bindparam("cached"),
        completion_tokens=bindparam("completion"),
        reasoning_tokens=bindparam("reasoning"),
        cost=_COST.scalar_subquery(),
    )
)
_WAITS = "thread.run.requires_action"


def keep_figures(session: Session, run_id: str) -> None:
    """Note the figures of a run that ends: a keeper of the event log.

    In few statements and without the ORM, as every run pays for them.
    """
    connection = session.connection()
    moments = list(connection.execute(_MOMENTS, {"run_id": run_id}).tuples())
    used = usage_from_json(connection.scalar(_USAGE, {"run_id": run_id}))
    note = {
        "run_id": run_id,
        "duration": moments[-1][1] - moments[0][1] if moments else 0,
        "waited": waiting_ms(moments),
        "prompt": used.prompt,
        "cached": used.cached,
        "completion": used.completion,
        "reasoning": used.reasoning,
    }
    connection.execute(_NOTE, note)


def waiting_ms(moments: list[tuple[str, int]]) -> int:
    """How long a run waited for people, from the names and times of its own events, in order."""
    waited = 0
    for (name, since), (_, until) in pairwise(moments):
        if name == _WAITS:
            waited += until - since
    return waited
