"""The server's health for the parts of a page, which all ask for it in a row."""

import openai
import streamlit as st
from openai import OpenAI

from lib.dashboard.client import address_of
from lib.dashboard.studio_api import Health, read_health

_MOMENT = 0.5
"""Seconds."""


@st.cache_resource(max_entries=4, ttl=_MOMENT, show_spinner=False, hash_funcs={OpenAI: address_of})
def health_just_now(client: OpenAI) -> Health:
    """At most a moment old. Raises openai.OpenAIError."""
    return read_health(client)


def model_may_change_soon(client: OpenAI) -> bool:
    """True while the model is being prepared, is broken or cannot be asked after."""
    try:
        return health_just_now(client).model.phase != "ready"
    except openai.OpenAIError:
        return True
