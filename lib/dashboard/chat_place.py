"""Where the reader is in the chat: kept in the address, so that a reload loses nothing."""

from dataclasses import dataclass, replace

import streamlit as st

SESSION_KEY = "chat_place"


@dataclass(frozen=True)
class ChatPlace:
    """The assistant and the thread that are open; no thread means that a new one is about to be."""

    assistant_id: str | None = None
    thread_id: str | None = None
    run_id: str | None = None

    def on_thread(self, thread_id: str | None) -> "ChatPlace":
        return replace(self, thread_id=thread_id, run_id=None)

    def with_assistant(self, assistant_id: str | None) -> "ChatPlace":
        return replace(self, assistant_id=assistant_id)

    def with_run(self, run_id: str | None) -> "ChatPlace":
        return replace(self, run_id=run_id)


def read_place() -> ChatPlace:
    """The place that the address names, or else where this session was last."""
    query = st.query_params
    if any(name in query for name in ("assistant", "thread", "run")):
        return ChatPlace(query.get("assistant"), query.get("thread"), query.get("run"))
    last: ChatPlace = st.session_state.get(SESSION_KEY, ChatPlace())
    return last


def go_to(place: ChatPlace) -> None:
    """Write the place into the address and remember it for the way back from other pages."""
    st.session_state[SESSION_KEY] = place
    named = {"assistant": place.assistant_id, "thread": place.thread_id, "run": place.run_id}
    wanted = {name: value for name, value in named.items() if value is not None}
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)
