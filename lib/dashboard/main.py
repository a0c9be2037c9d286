"""The dashboard's entry script: it runs before every page, whichever address was opened first."""

from pathlib import Path

import streamlit as st

from lib.dashboard.access import require_password
from lib.dashboard.client import studio_settings
from lib.dashboard.dialogs import begin_page
from lib.dashboard.errors import errors_in_words
from lib.dashboard.model_status import sidebar_model_status
from lib.dashboard.navigation import all_pages
from lib.dashboard.waiting_runs import waiting_runs, watch_waiting_runs

ASSETS = Path(__file__).parent / "assets"

st.set_page_config(
    page_title="Assistants Studio", page_icon=str(ASSETS / "icon.svg"), initial_sidebar_state=260
)
st.logo(ASSETS / "logo.svg", icon_image=ASSETS / "icon.svg", size="large")
begin_page()
require_password(studio_settings().dashboard_password)

page = st.navigation(all_pages(waiting_runs()))
with st.sidebar:
    sidebar_model_status()
    watch_waiting_runs()
with errors_in_words("page"):
    page.run()
