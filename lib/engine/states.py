"""The states of a run and the moves between them: the one place that says what is legal.

                ┌──────────────────────── requires_action ◄──┐
                ▼                                            │
(created) ► queued ► in_progress ────────────────────────────┘
                       │
                       ├► completed      the answer is whole
                       ├► incomplete     a token limit was reached
                       └► failed         the model, a tool or this server could not go on

queued, in_progress, requires_action ► cancelling ► cancelled    somebody cancelled it
queued, in_progress, requires_action ► expired                   nobody finished it in time
"""

from lib.store.tables import ACTIVE_STATUSES

QUEUED = "queued"
IN_PROGRESS = "in_progress"
REQUIRES_ACTION = "requires_action"
CANCELLING = "cancelling"
CANCELLED = "cancelled"
FAILED = "failed"
COMPLETED = "completed"
INCOMPLETE = "incomplete"
EXPIRED = "expired"

ACTIVE = frozenset(ACTIVE_STATUSES)
TERMINAL = frozenset({CANCELLED, FAILED, COMPLETED, INCOMPLETE, EXPIRED})

LEGAL_MOVES: dict[str, frozenset[str]] = {
    QUEUED: frozenset({IN_PROGRESS, CANCELLING, EXPIRED, FAILED}),
    # A worker that takes over after a crash claims a run that is in progress already.
    IN_PROGRESS: frozenset(
        {IN_PROGRESS, REQUIRES_ACTION, COMPLETED, INCOMPLETE, FAILED, CANCELLING, EXPIRED}
    ),
    REQUIRES_ACTION: frozenset({QUEUED, CANCELLING, EXPIRED, FAILED}),
    CANCELLING: frozenset({CANCELLED}),
    **{status: frozenset() for status in TERMINAL},
}


def states_that_lead_to(status: str) -> frozenset[str]:
    """The states from which a run may move to `status`."""
    return frozenset(old for old, new in LEGAL_MOVES.items() if status in new)
