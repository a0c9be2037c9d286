"""Which runs the Runs page shows, and in what order."""

import time
from collections.abc import Callable
from typing import Any

import streamlit as st
from openai import OpenAI

from lib.dashboard.conversation import assistants_to_choose_from
from lib.dashboard.formatting import DAY, HOUR
from lib.dashboard.inspector_api import RunQuery, read_models
from lib.dashboard.run_words import STATUS_WORDS, words_for

PERIODS = {
    "Last hour": HOUR,
    "Last 24 hours": DAY,
    "Last 7 days": 7 * DAY,
    "Last 30 days": 30 * DAY,
}
_STEADY = 60
"""Seconds: a period begins at a whole minute, so that the same question is asked again."""
_ASSISTANT = "runs_assistant"
ORDERS: dict[str, dict[str, str]] = {
    "Newest first": {"sort": "created_at", "order": "desc"},
    "Oldest first": {"sort": "created_at", "order": "asc"},
    "Longest first": {"sort": "duration", "order": "desc"},
    "Longest wait first": {"sort": "waiting", "order": "desc"},
    "Most steps first": {"sort": "steps", "order": "desc"},
    "Most tokens first": {"sort": "tokens", "order": "desc"},
    "Most expensive first": {"sort": "cost", "order": "desc"},
}


def run_filters(client: OpenAI) -> dict[str, str | int | None]:
    """The chosen filters, as the API's own."""
    names = {one.id: one.name or one.id for one in assistants_to_choose_from(client)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search",
            placeholder="Thread, first message or error",
            icon=":material/search:",
            width=205,
            on_change=back_to_first_page,
        )
        status = _choice("Status", {key: words_for(key).label for key in STATUS_WORDS}, 125)
        assistant_id = _assistant(names)
        model = _choice("Model", {name: name for name in _models(client)}, 160)
        period = _choice("Time", {name: name for name in PERIODS}, 130)
    return {
        "text": text.strip() or None,
        "status": status,
        "assistant_id": assistant_id,
        "model": model,
        "created_after": _begin(period),
        "thread_id": _thread(),
    }


def run_order() -> dict[str, str]:
    """How the list is sorted, as the API's own parameters."""
    chosen = st.selectbox(
        "Order",
        list(ORDERS),
        width=190,
        label_visibility="collapsed",
        on_change=back_to_first_page,
        key="runs_order",
    )
    return ORDERS[chosen]


def is_narrowed(query: RunQuery) -> bool:
    """True when not all runs are asked for."""
    return any(value is not None for value in query.values())


def back_to_first_page() -> None:
    """What is chosen was chosen in another list."""
    st.session_state["runs_cursors"] = []


def _choice(
    label: str,
    options: dict[str, str],
    width: int,
    key: str | None = None,
    on_change: Callable[[], None] = back_to_first_page,
) -> str | None:
    chosen: Any = st.selectbox(
        label,
        list(options),
        index=None,
        format_func=lambda one: options.get(one, one),
        placeholder="Any",
        width=width,
        key=key,
        on_change=on_change,
    )
    return None if chosen is None else str(chosen)


def _assistant(names: dict[str, str]) -> str | None:
    """The chosen assistant, which the address names, too, so that links can."""
    linked = st.query_params.get("assistant")
    if linked is not None:
        names.setdefault(linked, linked)
    st.session_state[_ASSISTANT] = linked
    return _choice("Assistant", names, 160, key=_ASSISTANT, on_change=_name_assistant)


def _name_assistant() -> None:
    chosen = st.session_state[_ASSISTANT]
    if chosen is None:
        st.query_params.pop("assistant", None)
    else:
        st.query_params["assistant"] = chosen
    back_to_first_page()


def _thread() -> str | None:
    """The one thread that the address names, with a way back to all of them."""
    thread_id = st.query_params.get("of")
    if thread_id is None:
        return None
    if st.button("All threads", icon=":material/close:", help="Show the runs of all threads."):
        del st.query_params["of"]
        st.rerun()
    return thread_id


@st.cache_data(ttl=60, max_entries=8, show_spinner=False)
def _model_names(_client: OpenAI, _url: str) -> list[str]:
    return read_models(_client)


def _models(client: OpenAI) -> list[str]:
    return _model_names(client, str(client.base_url))


def _begin(period: str | None) -> int | None:
    if period is None:
        return None
    return int(time.time() - PERIODS[period]) // _STEADY * _STEADY
