"""Where a run's trace is, in words."""

from lib.dashboard.formatting import ago
from lib.dashboard.inspector_api import Trace
from lib.dashboard.studio_api import TraceState

NAMES = {"agentops": "AgentOps", "otlp": "OTLP endpoint"}


def destination_sentence(name: str, state: TraceState, now: float) -> str:
    """How deliveries to one destination are doing, and what happens next."""
    shown = NAMES.get(name, name)
    if state.phase == "off":
        return f"{shown}: off. {state.message}"
    since = f" since {ago(state.since, now)}" if state.since else ""
    waiting = f" {_runs(state.waiting)} waiting." if state.waiting else ""
    if state.phase == "refused":
        return f"{shown}: the key is refused{since}. {state.message}{waiting}"
    if state.phase == "unreachable":
        return f"{shown}: unreachable{since}, will retry. {state.message}{waiting}"
    return f"{shown}: {state.message}{waiting}"


def trace_sentence(trace: Trace, is_over: bool, now: float) -> str:
    """Where this run's trace is; empty when no destination is set."""
    refusals = [f"{NAMES.get(name, name)}: {why}" for name, why in trace.refusals.items()]
    if trace.delivered_at:
        names = " and ".join(NAMES.get(name, name) for name in trace.delivered_at)
        return " ".join([f"Its trace is in {names}.", *refusals])
    if refusals:
        return " ".join(refusals)
    on = {name: state for name, state in trace.destinations.items() if state.phase != "off"}
    if not on:
        return ""
    if not is_over:
        return "Its trace is sent when the run is over."
    return " ".join(destination_sentence(name, state, now) for name, state in on.items())


def _runs(count: int) -> str:
    return "One run is" if count == 1 else f"{count:,} runs are"
