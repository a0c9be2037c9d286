"""Where a quote stands in its file, fetched from the API: a page's image, or the text around."""

from collections.abc import Callable
from typing import Any

import streamlit as st
from openai import OpenAI

from lib.dashboard.client import address_of
from lib.dashboard.studio_api import FilePassage, PageImage, read_page, read_passage

_REMEMBER_SECONDS = 600
_BY_ADDRESS: dict[str | type[Any], Callable[[Any], str]] = {OpenAI: address_of}


# Content never changes under an id, and a chat is drawn again at every click.
@st.cache_data(max_entries=60, ttl=_REMEMBER_SECONDS, show_spinner=False, hash_funcs=_BY_ADDRESS)
def page_image(client: OpenAI, file_id: str, page: int, quotes: tuple[str, ...]) -> PageImage:
    """A page of a PDF file with the quotes highlighted. Raises openai.OpenAIError."""
    return read_page(client, file_id, page, quotes)


@st.cache_data(max_entries=200, ttl=_REMEMBER_SECONDS, show_spinner=False, hash_funcs=_BY_ADDRESS)
def passage_around(client: OpenAI, file_id: str, quote: str) -> FilePassage:
    """The quote and what stands around it. Raises openai.OpenAIError."""
    return read_passage(client, file_id, quote)
