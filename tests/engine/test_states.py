import pytest

from lib.engine.states import ACTIVE, LEGAL_MOVES, TERMINAL, states_that_lead_to

STATES = (
    "queued",
    "in_progress",
    "requires_action",
    "cancelling",
    "cancelled",
    "failed",
    "completed",
    "incomplete",
    "expired",
)

LEGAL = {
    ("queued", "in_progress"): "a worker takes the run",
    ("queued", "cancelling"): "somebody cancels it before a worker came",
    ("queued", "expired"): "no worker came in time",
    ("queued", "failed"): "it can never be taken",
    ("in_progress", "in_progress"): "another worker takes over from a dead one",
    ("in_progress", "requires_action"): "functions were called",
    ("in_progress", "completed"): "the answer is whole",
    ("in_progress", "incomplete"): "a token limit was reached",
    ("in_progress", "failed"): "the model could not answer",
    ("in_progress", "cancelling"): "somebody cancels it",
    ("in_progress", "expired"): "the model did not end in time",
    ("requires_action", "queued"): "all outputs were submitted",
    ("requires_action", "cancelling"): "somebody cancels it",
    ("requires_action", "expired"): "nobody submitted outputs in time",
    ("requires_action", "failed"): "it can never go on",
    ("cancelling", "cancelled"): "its work has ended",
}


@pytest.mark.parametrize("old", STATES)
@pytest.mark.parametrize("new", STATES)
def test_exactly_the_legal_moves_are_allowed(old: str, new: str) -> None:
    assert (new in LEGAL_MOVES[old]) == ((old, new) in LEGAL)
    assert (old in states_that_lead_to(new)) == ((old, new) in LEGAL)


def test_every_state_is_active_or_terminal() -> None:
    assert set(STATES) == ACTIVE | TERMINAL == set(LEGAL_MOVES)
    assert not ACTIVE & TERMINAL


def test_from_every_active_state_a_terminal_one_can_be_reached() -> None:
    reached = set(TERMINAL)
    for _ in STATES:
        reached |= {old for old, new in LEGAL if new in reached}

    assert reached == set(STATES)
