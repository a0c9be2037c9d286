"""Whether code can be run here, said before anyone tries."""

import openai
import streamlit as st
from openai import OpenAI
from openai.types.beta import Assistant

from lib.dashboard.client import address_of
from lib.dashboard.formatting import sentence
from lib.dashboard.studio_api import CodeInterpreterState, Health, read_health

_REMEMBER_SECONDS = 5


def health_if_known(client: OpenAI) -> Health | None:
    """The server's health as of the last seconds; None while it cannot be asked."""
    try:
        return _recent_health(client)
    except openai.OpenAIError:
        return None


def has_code_tool(assistant: Assistant) -> bool:
    return any(tool.type == "code_interpreter" for tool in assistant.tools)


def tool_notice(assistant: Assistant, health: Health | None) -> None:
    """A warning where the assistant would use Code Interpreter and cannot."""
    if health is not None and has_code_tool(assistant):
        code_tool_warning(health.code_interpreter)


def code_tool_warning(state: CodeInterpreterState) -> None:
    """Why code cannot be run, and what to do; nothing where it can."""
    if not state.available and not state.starting:
        st.warning(sentence(state.message), title="Code Interpreter is not available")


@st.cache_data(
    max_entries=10,
    ttl=_REMEMBER_SECONDS,
    show_spinner=False,
    hash_funcs={OpenAI: address_of},
)
def _recent_health(client: OpenAI) -> Health:
    return read_health(client)
