"""Batch: many prompts for one assistant at once, and a table that fills with the answers."""

import streamlit as st

from lib.dashboard.batch_view import live_batch, new_batch
from lib.dashboard.client import studio_client

st.set_page_config(page_title="Batch · Assistants Studio", layout="wide")
st.title("Batch")
st.caption("Ask one assistant many things at once. It goes on when you close this page.")
with st.expander("New batch", icon=":material/add:", expanded="batch" not in st.query_params):
    new_batch(studio_client())
live_batch()
