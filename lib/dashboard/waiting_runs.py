"""How many runs wait for a person: counted for the menu, and watched on every page."""

import openai
import streamlit as st

from lib.dashboard.client import studio_client
from lib.dashboard.dialogs import rerun_when_free
from lib.dashboard.server_health import health_just_now

LOOK_EVERY = 5.0
SHOWN = "waiting_runs"


def waiting_runs() -> int:
    """The number at this moment; the last known one while the server cannot be asked."""
    try:
        st.session_state[SHOWN] = health_just_now(studio_client()).counts.waiting
    except openai.OpenAIError:
        st.session_state.setdefault(SHOWN, 0)
    return int(st.session_state[SHOWN])


def watch_waiting_runs() -> None:
    """Draw the page anew when the number changes."""
    st.fragment(_look, run_every=LOOK_EVERY)()


def _look() -> None:
    shown = st.session_state.get(SHOWN)
    if waiting_runs() != shown:
        rerun_when_free()
