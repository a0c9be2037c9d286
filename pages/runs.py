"""Runs: every run with its figures; all that happened in the chosen one."""

import streamlit as st

from lib.dashboard.client import studio_client
from lib.dashboard.run_charts import figures, live_totals
from lib.dashboard.run_filters import run_filters
from lib.dashboard.runs_view import live_runs

st.set_page_config(page_title="Runs · Assistants Studio", layout="wide")
st.title("Runs")
st.caption(
    "Every answer is a run. Click its thread to see its steps; tick several to stop or delete."
)
client = studio_client()
filters = run_filters(client)
# The totals are reserved their place and summed up last: the table need not wait for them.
totals_place = st.container()
with st.expander("Figures over time", icon=":material/bar_chart:", on_change="rerun") as charts:
    if charts.open:
        figures(client, filters)
live_runs(filters)
with totals_place:
    live_totals(client, filters)
