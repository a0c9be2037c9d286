"""The sources under an answer: one numbered button each, with quote, page and the file."""

from functools import partial

import openai
import streamlit as st
from openai import OpenAI
from openai.types.beta.threads import Message

from lib.dashboard.citations import CitedSource, cited_sources
from lib.dashboard.client import studio_client
from lib.dashboard.dialogs import dialog
from lib.dashboard.errors import sentence_for
from lib.dashboard.formatting import shortened
from lib.dashboard.labels import plain
from lib.dashboard.source_view import show_place, show_quotes
from lib.dashboard.stored_files import stored_file, whole_content

NAME_SHOWN = 32
TITLE_SHOWN = 60


def show_sources(message: Message) -> None:
    """A row of the message's sources; nothing where it cites none."""
    sources = cited_sources(message)
    if not sources:
        return
    with st.container(horizontal=True, gap="small", key=f"sources_{message.id}"):
        for source in sources:
            _source(message, source)


def _source(message: Message, source: CitedSource) -> None:
    name = plain(shortened(source.filename, NAME_SHOWN))
    place = f"{message.id}_{source.number}"
    if st.button(f":blue-badge[{source.number}] {name}", key=f"source_{place}"):
        title = plain(shortened(source.filename, TITLE_SHOWN))
        drawer = dialog(title, width="medium", position="right", icon=":material/draft:")
        drawer(_show_source)(studio_client(), source, place)


def _show_source(client: OpenAI, source: CitedSource, place: str) -> None:
    try:
        is_there = stored_file(client, source.file_id) is not None
    except openai.OpenAIError as error:
        st.caption(sentence_for(error))
        return
    for cited in source.pages:
        if is_there:
            show_place(client, source.file_id, source.filename, cited)
        else:
            show_quotes(cited)
    if not is_there:
        st.caption("The file was deleted since.")
        return
    st.download_button(
        "Download the file",
        data=partial(whole_content, client, source.file_id),
        file_name=source.filename,
        icon=":material/download:",
        key=f"download_{place}",
        on_click="ignore",
    )
