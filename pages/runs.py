"""Runs: every run with its status, duration and tokens; the steps of the chosen one."""

import streamlit as st

from lib.dashboard.client import studio_client
from lib.dashboard.runs_view import live_runs, run_filters

st.set_page_config(page_title="Runs · Assistants Studio", layout="wide")
st.title("Runs")
st.caption("Every answer is a run. Choose one to see its steps.")
filters = run_filters(studio_client())
live_runs(filters)
