"""What a run came to: how long it took and waited, its tokens and its cost, written at its end."""

from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from lib.engine.usage import usage_from_json
from lib.observability.pricing import Prices
from lib.store.tables import EventRow, ModelCallRow, RunRow, StepRow

_RUN = select(RunRow).where(RunRow.id == bindparam("run_id"))
_CALLS = select(
    ModelCallRow.position, ModelCallRow.model, ModelCallRow.answered_by, ModelCallRow.usage
).where(ModelCallRow.run_id == bindparam("run_id"), ModelCallRow.usage.is_not(None))
_STEPS = select(func.count()).where(StepRow.run_id == bindparam("run_id"))
_MOMENTS = (
    select(EventRow.name, EventRow.at_ms)
    .where(
        EventRow.run_id == bindparam("run_id"),
        EventRow.subject_id == bindparam("run_id"),
    )
    .order_by(EventRow.id)
)
_WAITS = "thread.run.requires_action"


@dataclass(frozen=True, slots=True)
class Figures:
    """Notes the figures of every run that ends. `keep` is a keeper of the event log."""

    prices: Prices

    def keep(self, session: Session, run_id: str) -> None:
        run = session.scalars(_RUN, {"run_id": run_id}).one()
        moments = session.execute(_MOMENTS, {"run_id": run_id}).tuples().all()
        run.duration_ms = moments[-1][1] - moments[0][1] if moments else 0
        run.waited_ms = waiting_ms([(name, at_ms) for name, at_ms in moments])
        run.step_count = session.scalar(_STEPS, {"run_id": run_id})
        used = usage_from_json(run.usage)
        run.prompt_tokens, run.completion_tokens = used.prompt, used.completion
        run.cached_tokens, run.reasoning_tokens = used.cached, used.reasoning
        run.cost = self._keep_costs(session, run_id)

    def _keep_costs(self, session: Session, run_id: str) -> float | None:
        """Note what each model call cost. Returns the sum.

        None when a price is not known, or when nothing is known to have been used.
        """
        costs: list[float | None] = []
        for position, model, answered_by, usage in session.execute(_CALLS, {"run_id": run_id}):
            cost = self.prices.cost(answered_by or model, usage_from_json(usage))
            session.execute(
                update(ModelCallRow).where(ModelCallRow.position == position).values(cost=cost)
            )
            costs.append(cost)
        known = [cost for cost in costs if cost is not None]
        return sum(known) if costs and len(known) == len(costs) else None


def waiting_ms(moments: list[tuple[str, int]]) -> int:
    """How long a run waited for people, from the names and times of its own events, in order."""
    waited = 0
    for (name, since), (_, until) in pairwise(moments):
        if name == _WAITS:
            waited += until - since
    return waited
