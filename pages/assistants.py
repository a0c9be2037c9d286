"""Assistants: see them, create one, edit one, delete one, talk to one."""

import streamlit as st

from lib.dashboard.assistants_view import (
    CARDS_AT_FIRST,
    assistant_card,
    assistant_form,
    newest_assistants,
    no_assistants_yet,
)
from lib.dashboard.client import studio_client
from lib.dashboard.notices import show_notices
from lib.dashboard.server_health import health_just_now

st.set_page_config(page_title="Assistants · Assistants Studio", layout="wide")
client = studio_client()
default_model = health_just_now(client).model.default_model
count = st.session_state.setdefault("assistants_shown", CARDS_AT_FIRST)
assistants, has_more = newest_assistants(client, count)

with st.container(horizontal=True, vertical_alignment="bottom"):
    with st.container():
        st.title("Assistants")
        st.caption("A model, its instructions and its settings, under a name.")
    if assistants and st.button("New assistant", icon=":material/add:", type="primary"):
        assistant_form(None, default_model)

show_notices("assistants")

if not assistants:
    no_assistants_yet(default_model)

with st.grid(3, min_column_width=300):
    for assistant in assistants:
        assistant_card(assistant, default_model)

if has_more and st.button("Show more", icon=":material/expand_more:"):
    st.session_state["assistants_shown"] = count + CARDS_AT_FIRST
    st.rerun()
