"""A source as its reader sees it: the page with the quote highlighted, or the text around it."""

from collections.abc import Sequence
from html import escape

import openai
import streamlit as st
from openai import OpenAI

from lib.dashboard.citations import CitedPage
from lib.dashboard.errors import sentence_for
from lib.dashboard.file_previews import PreviewError, checked_image, kind_of
from lib.dashboard.labels import plain
from lib.dashboard.source_pages import page_image, passage_around
from lib.dashboard.studio_api import FilePassage

NOT_MARKED = "The quote could not be found on the drawn page."
PARTLY_MARKED = "Only a part of the quote stands on this page."
AS_WRITTEN = "white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 4"
# Readable on light and on dark ground.
MARKED = "background: rgba(255, 200, 40, 0.4); color: inherit; border-radius: 0.2rem"


def show_place(client: OpenAI, file_id: str, filename: str, cited: CitedPage) -> None:
    """The quotes where they stand; the quotes alone where that cannot be shown."""
    if cited.page is not None and kind_of(filename) == "pdf":
        show_quotes(CitedPage(None, cited.quotes))
        with st.container(border=True):
            show_page(client, file_id, cited.page, cited.quotes)
        return
    for quote in cited.quotes:
        _show_around(client, file_id, quote)
    _show_number(cited)


def show_quotes(cited: CitedPage) -> None:
    """The quotes as they came with the answer, whatever became of the file."""
    for quote in cited.quotes:
        st.markdown(f"> {plain(quote)}".replace("\n", "\n> "))
    _show_number(cited)


def show_page(client: OpenAI, file_id: str, page: int, quotes: Sequence[str]) -> None:
    """The drawn page with the quotes highlighted; a sentence where it cannot be drawn."""
    try:
        with st.spinner(f"Drawing page {page}"):
            drawn = page_image(client, file_id, page, tuple(quotes))
        image = checked_image(drawn.png)
    except openai.OpenAIError as error:
        st.caption(f"Page {page}. {sentence_for(error)}")
        return
    except PreviewError as problem:
        st.caption(f"Page {page}. {problem}")
        return
    st.image(image, width="stretch", alt=f"Page {page}")
    st.caption(" ".join([f"Page {page}.", *_marking_words(drawn.marked, quotes)]))


def passage_html(passage: FilePassage) -> str:
    """The passage as the text that it is, whatever stands in it, with the quote marked."""
    opening = "" if passage.begins_at_edge else "… "
    ending = "" if passage.ends_at_edge else " …"
    return (
        f'<div style="{AS_WRITTEN}">{opening}{escape(passage.before)}'
        f'<mark style="{MARKED}">{escape(passage.quote)}</mark>'
        f"{escape(passage.after)}{ending}</div>"
    )


def _marking_words(marked: str, quotes: Sequence[str]) -> list[str]:
    if not quotes or marked == "whole":
        return []
    return [PARTLY_MARKED if marked == "part" else NOT_MARKED]


def _show_number(cited: CitedPage) -> None:
    if cited.page is not None:
        st.caption(f"Page {cited.page}")


def _show_around(client: OpenAI, file_id: str, quote: str) -> None:
    try:
        passage = passage_around(client, file_id, quote)
    except openai.OpenAIError:
        show_quotes(CitedPage(None, [quote]))
        return
    with st.container(border=True):
        # Markdown would join lines, swallow indents and turn signs into others.
        st.html(passage_html(passage))
