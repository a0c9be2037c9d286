"""The parts of the Settings page."""

import time

import pandas as pd
import streamlit as st

from lib.dashboard.client import studio_client, studio_settings
from lib.dashboard.code_tool_status import code_tool_warning
from lib.dashboard.errors import errors_in_words
from lib.dashboard.formatting import sentence
from lib.dashboard.labels import plain
from lib.dashboard.model_status import CALM, LIVE, model_progress
from lib.dashboard.object_code import own_url
from lib.dashboard.preparation import (
    PHASE_WORDS,
    broken_sentence,
    is_broken,
    is_preparing,
)
from lib.dashboard.sdk_calls import connect_lines
from lib.dashboard.server_health import model_may_change_soon
from lib.dashboard.studio_api import (
    CodeInterpreterState,
    Health,
    ModelState,
    TraceState,
    read_health,
)
from lib.dashboard.trace_words import destination_sentence

OVERALL = {
    "ok": ("Everything is in order", ":material/check_circle:"),
    "preparing": ("The model is being prepared", ":material/hourglass_top:"),
    "problem": ("Something needs your attention", ":material/error:"),
}
API_NAMES = {"responses": "Responses", "chat_completions": "Chat Completions"}


def live_health() -> None:
    """The model and the counts, refreshed by themselves."""
    pace = LIVE if model_may_change_soon(studio_client()) else CALM
    st.fragment(_health, run_every=pace)()


def own_code() -> None:
    """How any program uses this server."""
    st.subheader("Use it from your own code", anchor=False)
    st.code(connect_lines(own_url(), bool(studio_settings().accepted_keys)), language="python")
    st.caption(
        "An existing program needs no change at all: set `OPENAI_BASE_URL` and `OPENAI_API_KEY` "
        "for it."
    )


def effective_settings(health: Health) -> None:
    """Every setting as it is in force, and how to change it."""
    st.subheader("Settings in force", anchor=False)
    table = pd.DataFrame(
        {
            "Name": list(health.settings),
            "Value": ["not set" if value is None else value for value in health.settings.values()],
        }
    )
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        alt="Settings in force",
        column_config={"Name": st.column_config.TextColumn(width="medium")},
    )
    st.markdown(
        "To change one, write it into the file `.env` next to `streamlit_app.py`, or set it as an "
        "environment variable, and start the server again. `.env.example` explains every setting."
    )
    st.code(
        "# .env: answer with any OpenAI-compatible endpoint instead of the embedded model\n"
        "MODEL_BASE_URL=http://localhost:11434/v1\n"
        "MODEL_API_KEY=your key\n"
        "MODEL=qwen2.5:7b",
        language="bash",
    )


def _health() -> None:
    with errors_in_words("health"):
        health = read_health(studio_client())
        words, icon = OVERALL.get(health.status, (health.status, ":material/help:"))
        st.markdown(f"{icon} **{words}** · version {health.version}")
        with st.grid(4, min_column_width=140):
            st.metric("Assistants", health.counts.assistants, border=True)
            st.metric("Threads", health.counts.threads, border=True)
            st.metric("Runs", health.counts.runs, border=True)
            st.metric("Waiting for you", health.counts.waiting, border=True)
        st.subheader("Model", anchor=False)
        _model(health.model)
        st.subheader("Code Interpreter", anchor=False)
        _code_interpreter(health.code_interpreter)
        _traces(health.traces)


def _traces(traces: dict[str, TraceState]) -> None:
    st.subheader("Traces of runs", anchor=False)
    for name, state in traces.items():
        st.caption(destination_sentence(name, state, time.time()))


def _model(model: ModelState) -> None:
    if is_preparing(model):
        model_progress(model)
    if is_broken(model):
        st.error(broken_sentence(model), icon=":material/error:")
    kind = "Embedded" if model.kind == "embedded" else "Endpoint"
    facts = {
        "Kind": kind,
        "Address": f"`{model.base_url}`" if model.base_url else "This machine",
        "API": API_NAMES.get(model.api or "", model.api),
        "Default model": f"`{model.default_model}`" if model.default_model else None,
        "State": PHASE_WORDS.get(model.phase, model.phase),
    }
    known = {name: value for name, value in facts.items() if value is not None}
    st.table(known, border="horizontal", width="stretch", alt="The model behind the engine")


def _code_interpreter(state: CodeInterpreterState) -> None:
    if state.starting:
        st.markdown(":shimmer[Looking for a sandbox that works here]")
        return
    code_tool_warning(state)
    if state.available:
        st.markdown(f":green[:material/verified_user:] {plain(sentence(state.message))}")
