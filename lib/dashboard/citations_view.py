"""The sources under an answer: one numbered button each, with quote, page and the file."""

from functools import partial

import openai
import streamlit as st
from openai.types.beta.threads import Message

from lib.dashboard.citations import CitedSource, cited_sources
from lib.dashboard.client import studio_client
from lib.dashboard.errors import sentence_for
from lib.dashboard.formatting import shortened
from lib.dashboard.labels import plain

NAME_SHOWN = 32


def show_sources(message: Message) -> None:
    """A row of the message's sources; nothing where it cites none."""
    sources = cited_sources(message)
    if not sources:
        return
    with st.container(horizontal=True, gap="small", key=f"sources_{message.id}"):
        for source in sources:
            _source(message, source)


def _source(message: Message, source: CitedSource) -> None:
    popover = st.popover(
        f":blue-badge[{source.number}] {plain(shortened(source.filename, NAME_SHOWN))}",
        key=f"source_{message.id}_{source.number}",
        # The content is made only once someone opens it.
        on_change="rerun",
    )
    if not popover.open:
        return
    with popover:
        st.markdown(f"**{plain(source.filename)}**")
        for passage in source.passages:
            st.markdown(f"> {plain(passage.quote)}".replace("\n", "\n> "))
            if passage.page is not None:
                st.caption(f"Page {passage.page}")
        _download(message, source)


def _download(message: Message, source: CitedSource) -> None:
    try:
        studio_client().files.retrieve(source.file_id)
    except openai.NotFoundError:
        st.caption("The file was deleted since.")
        return
    except openai.OpenAIError as error:
        st.caption(sentence_for(error))
        return
    st.download_button(
        "Download the file",
        data=partial(_content, source.file_id),
        file_name=source.filename,
        icon=":material/download:",
        key=f"download_{message.id}_{source.number}",
        on_click="ignore",
    )


def _content(file_id: str) -> bytes:
    return studio_client().files.content(file_id).read()
