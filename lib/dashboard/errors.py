"""Every error a page can meet, said in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import openai
import streamlit as st

from lib.dashboard.formatting import sentence


@contextmanager
def errors_in_words(place: str) -> Iterator[None]:
    """Show what fails inside as one sentence with a way on, instead of a stack trace.

    `place` tells two such places on a page apart.
    """
    try:
        yield
    except openai.OpenAIError as error:
        st.error(sentence_for(error), icon=":material/error:")
        st.button("Try again", icon=":material/refresh:", key=f"try_again_{place}")


def sentence_for(error: openai.OpenAIError) -> str:
    """What happened and what to do about it."""
    match error:
        case openai.APITimeoutError():
            return "The server took too long to answer; it may be busy, so try again in a moment."
        case openai.APIConnectionError():
            return (
                "The server cannot be reached; check that `streamlit run streamlit_app.py` "
                "is still running, then try again."
            )
        case openai.AuthenticationError():
            return (
                "The server does not accept this dashboard's key; "
                "restart it so that both read the same API_KEYS."
            )
        case openai.NotFoundError():
            return f"{_said(error)} It may have been deleted in the meantime."
        case openai.APIStatusError():
            return _said(error)
    return "The server gave an answer that cannot be read; try again."


def _said(error: openai.APIStatusError) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return sentence(str(message or f"The server refused this with status {error.status_code}"))
