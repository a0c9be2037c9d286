"""Answering a waiting run from a page: submit, cancel, and say what others did meanwhile."""

from typing import Any, cast

import openai
import streamlit as st
from openai.types.beta.threads import Run
from openai.types.beta.threads.run_submit_tool_outputs_params import ToolOutput

from lib.dashboard.client import studio_client
from lib.dashboard.errors import sentence_for
from lib.dashboard.function_forms.call_form import CallForm, call_form
from lib.dashboard.run_words import ACTIVE

ANSWERED_BY = "dashboard"
"""Who answered, as the run's step keeps it."""
OPEN_ROUND = "open_round"
NOTICES = "waiting_notices"


def call_forms(run: Run) -> list[CallForm]:
    """The forms of the calls that the run waits for, in the model's order."""
    if run.required_action is None:
        return []
    calls = run.required_action.submit_tool_outputs.tool_calls
    tools = [tool.to_dict() for tool in run.tools]
    return [call_form(call.to_dict(), number, tools) for number, call in enumerate(calls)]


def submit(run: Run, outputs: list[tuple[str, str]]) -> str:
    """Send the whole round: call ids with outputs. Returns the problem, empty when sent."""
    items = [
        {"tool_call_id": call_id, "output": output, "answered_by": ANSWERED_BY}
        for call_id, output in outputs
    ]
    try:
        studio_client().beta.threads.runs.submit_tool_outputs(
            run.id, thread_id=run.thread_id, tool_outputs=cast(list[ToolOutput], items)
        )
    except openai.BadRequestError as error:
        # The round stays open here, so that the page drawn next says who was faster.
        return "" if has_moved_on(run) else sentence_for(error)
    except openai.OpenAIError as error:
        return sentence_for(error)
    _close_round()
    return ""


def cancel(run: Run) -> None:
    """Cancel the run; one that ended in the meantime needs none."""
    try:
        studio_client().beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    except openai.BadRequestError:
        return
    except openai.OpenAIError as error:
        st.session_state["chat_problem"] = sentence_for(error)
        return
    _close_round()


def open_round(run: Run) -> None:
    """Remember which round's form is open here, to notice when somebody else answers it."""
    st.session_state[OPEN_ROUND] = _round_of(run)


def note_what_others_did(run: Run | None) -> None:
    """Say it above everything else when the form that was open here is not needed any more."""
    if run is None:
        return
    notices: dict[str, str] = st.session_state.setdefault(NOTICES, {})
    opened: tuple[str, tuple[str, ...]] | None = st.session_state.get(OPEN_ROUND)
    if opened is not None and opened[0] == run.id and opened != _round_of(run):
        notices[run.id] = _what_happened(run)
        _close_round()
    if run.id in notices:
        st.warning(notices[run.id], icon=":material/info:")


def has_moved_on(run: Run) -> bool:
    """True when the run does not wait for this round any more, or is gone."""
    try:
        now = studio_client().beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    except openai.NotFoundError:
        return True
    except openai.OpenAIError:
        return False
    return _round_of(now) != _round_of(run)


def _close_round() -> None:
    st.session_state.pop(OPEN_ROUND, None)


def _round_of(run: Run) -> tuple[str, tuple[str, ...]]:
    action: Any = run.required_action
    calls = action.submit_tool_outputs.tool_calls if action else []
    return run.id, tuple(call.id for call in calls)


def _what_happened(run: Run) -> str:
    if run.status == "expired":
        return (
            "The run expired while this form was open, so nothing was sent. "
            "What you typed is shown below; ask again to have it used."
        )
    if run.status in ("cancelled", "cancelling"):
        return "The run was cancelled elsewhere while this form was open; nothing was sent."
    if run.status in ACTIVE or run.status in ("completed", "requires_action"):
        return (
            "These calls have been answered already, in another tab or by a program; "
            "nothing was sent from here."
        )
    return "The run ended while this form was open; nothing was sent."
