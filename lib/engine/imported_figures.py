"""What imported runs came to, as far as their objects and their steps tell."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from lib.engine.model_calls import Prices
from lib.engine.states import TERMINAL
from lib.engine.usage import usage_from_json
from lib.store.tables import RunRow, StepRow


def note_figures(session: Session, run_id: str, prices: Prices) -> None:
    """Note a run's figures where they are not known yet; its steps are counted anew."""
    run = session.scalars(select(RunRow).where(RunRow.id == run_id)).one()
    if run.status not in TERMINAL:
        return
    steps = session.scalars(select(StepRow).where(StepRow.run_id == run_id)).all()
    run.step_count = len(steps)
    if run.duration_ms is None:
        run.duration_ms = _duration_ms(run, [ended_at(step) or 0 for step in steps])
    if run.waited_ms is None:
        run.waited_ms = min(sum(map(_waited_ms, steps)), run.duration_ms or 0)
    if run.usage is not None:
        _note_tokens(run, prices)


def ended_at(step: StepRow) -> int | None:
    """Unix seconds; None when it is not told."""
    return step.completed_at or step.failed_at or step.cancelled_at or step.expired_at


def _note_tokens(run: RunRow, prices: Prices) -> None:
    used = usage_from_json(run.usage)
    run.prompt_tokens, run.completion_tokens = used.prompt, used.completion
    run.cached_tokens, run.reasoning_tokens = used.cached, used.reasoning
    if run.cost is None:
        run.cost = prices.cost(run.answered_by or run.model, used)


def _duration_ms(run: RunRow, steps_ended_at: list[int]) -> int | None:
    told = run.completed_at or run.failed_at or run.cancelled_at
    # Expired runs do not say when they ended.
    ended = told or max(steps_ended_at, default=0)
    return max(0, ended - run.created_at) * 1000 if ended else None


def _waited_ms(step: StepRow) -> int:
    """How long the step waited for the outputs of function calls: until it ended."""
    calls = step.step_details.get("tool_calls") or []
    if not any(call["type"] == "function" for call in calls):
        return 0
    return max(0, (ended_at(step) or step.created_at) - step.created_at) * 1000
