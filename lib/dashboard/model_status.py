"""The model's state on the screen: a line in the sidebar of every page, and larger where asked."""

import openai
import streamlit as st

from lib.dashboard.client import studio_client
from lib.dashboard.dialogs import rerun_when_free
from lib.dashboard.errors import sentence_for
from lib.dashboard.preparation import (
    broken_sentence,
    is_broken,
    is_preparing,
    progress_share,
    progress_words,
)
from lib.dashboard.server_health import health_just_now, model_may_change_soon
from lib.dashboard.studio_api import Health, ModelState

LIVE = 1.0
"""Seconds between two looks while the model is being prepared."""
CALM = 15.0


def sidebar_model_status() -> None:
    """One quiet line when all is well; progress or the problem when it is not."""
    pace = LIVE if model_may_change_soon(studio_client()) else CALM
    st.fragment(_sidebar_line, run_every=pace)()


def model_progress(model: ModelState) -> None:
    """The preparation of the model as a bar with words."""
    st.progress(progress_share(model), text=progress_words(model))


def _sidebar_line() -> None:
    try:
        health = health_just_now(studio_client())
    except openai.OpenAIError as error:
        _note_phase("unknown")
        st.caption(f":red[:material/cloud_off:] {sentence_for(error)}")
        return
    _draw_line(health)
    _note_phase(health.model.phase)


def _draw_line(health: Health) -> None:
    model = health.model
    if is_preparing(model):
        model_progress(model)
    elif is_broken(model):
        st.caption(f":red[:material/error:] {broken_sentence(model)}")
    else:
        st.caption(f":green[:material/check_circle:] {model.default_model or 'Model'} is ready")


def _note_phase(phase: str) -> None:
    """Draw the whole page anew when the phase changes: other parts of it depend on it."""
    before = st.session_state.get("model_phase")
    st.session_state["model_phase"] = phase
    if before is not None and before != phase:
        rerun_when_free()
