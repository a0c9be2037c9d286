"""Whether code can be run here, said before anyone tries."""

import openai
import streamlit as st
from openai import OpenAI
from openai.types.beta import Assistant

from lib.dashboard.formatting import sentence
from lib.dashboard.server_health import health_just_now
from lib.dashboard.studio_api import CodeInterpreterState, Health


def health_if_known(client: OpenAI) -> Health | None:
    """The server's health a moment ago; None while it cannot be asked."""
    try:
        return health_just_now(client)
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
