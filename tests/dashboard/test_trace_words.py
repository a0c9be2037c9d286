from lib.dashboard.inspector_api import Trace
from lib.dashboard.studio_api import TraceState
from lib.dashboard.trace_words import destination_sentence, trace_sentence


def state(phase: str, message: str = "", since: int | None = None, waiting: int = 0) -> TraceState:
    return TraceState(phase=phase, message=message, since=since, waiting=waiting)


def test_every_state_of_a_destination_has_its_words() -> None:
    assert destination_sentence("agentops", state("off", "No key is set."), 0) == (
        "AgentOps: off. No key is set."
    )
    refused = state("refused", "Check AGENTOPS_API_KEY.", since=400)
    assert destination_sentence("agentops", refused, 1_000) == (
        "AgentOps: the key is refused since 10 min ago. Check AGENTOPS_API_KEY."
    )
    unreachable = state("unreachable", "It did not answer.", since=400, waiting=2)
    assert destination_sentence("otlp", unreachable, 1_000) == (
        "OTLP endpoint: unreachable since 10 min ago, will retry. "
        "It did not answer. 2 runs are waiting."
    )


def test_a_run_says_where_its_trace_is() -> None:
    delivered = Trace(trace_id="1", delivered_at={"agentops": 5}, refusals={}, destinations={})

    assert trace_sentence(delivered, is_over=True, now=0) == "Its trace is in AgentOps."


def test_a_run_says_who_will_never_take_its_trace() -> None:
    refused = Trace(
        trace_id="1",
        delivered_at={"agentops": 5},
        refusals={"otlp": "It is too large."},
        destinations={},
    )

    assert trace_sentence(refused, is_over=True, now=0) == (
        "Its trace is in AgentOps. OTLP endpoint: It is too large."
    )


def test_without_a_destination_nothing_is_said() -> None:
    trace = Trace(
        trace_id="1", delivered_at={}, refusals={}, destinations={"agentops": state("off")}
    )

    assert trace_sentence(trace, is_over=True, now=0) == ""
