"""What was typed into a form whose run ended before it was sent: shown, so that nothing is lost."""

from typing import Any

import openai
import streamlit as st
from openai.types.beta.threads import Run

from lib.dashboard.client import studio_client
from lib.dashboard.drafts import SEPARATOR
from lib.dashboard.function_forms.arguments import pretty
from lib.dashboard.studio_api import read_draft

UNSENT = frozenset({"expired", "cancelled", "failed"})


def show_unsent(run: Run) -> None:
    """The draft of a run that ended unanswered, ready to copy."""
    if run.status not in UNSENT:
        return
    try:
        draft = read_draft(studio_client(), run.thread_id, run.id)
    except openai.OpenAIError:
        return
    typed = {key: value for key, value in draft.items() if _is_typed(key, value)}
    if not typed:
        return
    with st.expander("What you had typed", icon=":material/edit_note:"):
        st.code("\n\n".join(_text(value) for value in typed.values()), language=None)


def _is_typed(key: str, value: Any) -> bool:
    is_setting = key.rpartition(SEPARATOR)[2] == "as_text"
    return not is_setting and isinstance(value, str | list) and bool(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else pretty(value)
