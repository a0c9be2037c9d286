"""Settings: the model, the server's health, and how to use it from your own code."""

import streamlit as st

from lib.dashboard.client import studio_client
from lib.dashboard.settings_view import effective_settings, live_health, own_code
from lib.dashboard.studio_api import read_health

st.set_page_config(page_title="Settings · Assistants Studio", layout="centered")
st.title("Settings")
health = read_health(studio_client())
live_health()
own_code()
effective_settings(health)
