"""Waiting: every function call that waits for a person, worked through one by one."""

import streamlit as st

from lib.dashboard.answering import note_what_others_did
from lib.dashboard.client import studio_client
from lib.dashboard.notices import show_notices
from lib.dashboard.waiting_view import (
    chosen_form,
    chosen_of,
    linked_run,
    nothing_waits,
    waiting_calls,
    waiting_list,
)

st.set_page_config(page_title="Waiting · Assistants Studio", layout="wide")
st.title("Waiting")
st.caption("Function calls that wait for a person. The one that expires first comes first.")
show_notices("chat")
client = studio_client()
waiting = waiting_calls(client)
note_what_others_did(linked_run(client))
chosen = chosen_of(waiting)

if chosen is None:
    nothing_waits()
    st.stop()

st.query_params["run"] = chosen.id
overview, form = st.columns([1, 2], gap="medium")
with overview:
    waiting_list(waiting, chosen)
with form:
    chosen_form(chosen)
