"""What a run's status means, in words for people who do not read code."""

from dataclasses import dataclass
from typing import Literal

from openai.types.beta.threads import Run

from lib.dashboard.formatting import sentence

Color = Literal["red", "orange", "yellow", "blue", "green", "violet", "gray"]

ACTIVE = frozenset({"queued", "in_progress", "cancelling"})
"""The engine is at work: there is more to come without anyone doing anything."""

UNFINISHED = ACTIVE | {"requires_action"}
"""The run occupies its thread: no message and no second run until it ends."""


@dataclass(frozen=True)
class StatusWords:
    """How a status is called and looks."""

    label: str
    icon: str
    color: Color


STATUS_WORDS: dict[str, StatusWords] = {
    "queued": StatusWords("Queued", ":material/schedule:", "gray"),
    "in_progress": StatusWords("Running", ":material/progress_activity:", "blue"),
    "requires_action": StatusWords("Waiting", ":material/front_hand:", "violet"),
    "cancelling": StatusWords("Stopping", ":material/stop_circle:", "orange"),
    "cancelled": StatusWords("Stopped", ":material/stop_circle:", "gray"),
    "completed": StatusWords("Completed", ":material/check_circle:", "green"),
    "failed": StatusWords("Failed", ":material/error:", "red"),
    "incomplete": StatusWords("Cut short", ":material/content_cut:", "orange"),
    "expired": StatusWords("Expired", ":material/timer_off:", "orange"),
}

CURES = {
    "rate_limit_exceeded": "The model endpoint asks for a pause: wait a moment, then try again.",
    "invalid_prompt": "The model refused the question as it stands: rephrase it and ask again.",
    "server_error": "Try again; if it fails again, look at the model on the Settings page.",
}

LIMITS = {
    "max_completion_tokens": "the limit of tokens for its answer",
    "max_prompt_tokens": "the limit of tokens for its prompt",
}


def words_for(status: str) -> StatusWords:
    """The words for a status; one that is not known yet is shown as it is."""
    return STATUS_WORDS.get(status, StatusWords(status, ":material/help:", "gray"))


def problem_of(run: Run) -> str:
    """What went wrong in one sentence; empty when nothing did."""
    if run.status == "failed":
        reason = run.last_error.message if run.last_error else "no reason was given"
        return sentence(f"The run failed: {reason}")
    if run.status == "incomplete":
        limited_by = run.incomplete_details.reason if run.incomplete_details else None
        limit = LIMITS.get(limited_by or "", "a limit that the run was given")
        return f"The answer was cut short because the run reached {limit}."
    if run.status == "expired":
        return "The run expired before it could finish."
    if run.status == "cancelled":
        return "You stopped this answer."
    return ""


def cure_for(run: Run) -> str:
    """What to do about it, in one sentence; empty when there is nothing to do."""
    if run.status == "failed":
        return _cure_for_failure(run)
    if run.status == "incomplete":
        return "Ask for a shorter answer, or try again."
    if run.status in ("expired", "cancelled"):
        return "Try again, or ask something else."
    if run.status == "requires_action":
        return "It goes on as soon as a program submits the outputs of its function calls."
    return ""


def _cure_for_failure(run: Run) -> str:
    error = run.last_error
    if error is None:
        return CURES["server_error"]
    # An error of more than one sentence says itself what to do.
    return "" if ". " in error.message else CURES[error.code]
