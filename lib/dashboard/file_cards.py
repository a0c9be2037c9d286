"""A file on the screen: its name and size, a preview and a button that downloads it."""

from functools import partial

import openai
import streamlit as st
from openai import OpenAI

from lib.dashboard.dialogs import dialog
from lib.dashboard.errors import sentence_for
from lib.dashboard.file_previews import (
    BYTES_READ,
    PreviewError,
    checked_image,
    checked_pdf,
    kind_of,
    table_of,
    text_of,
)
from lib.dashboard.formatting import shortened, size
from lib.dashboard.labels import plain
from lib.dashboard.stored_files import StoredFile, beginning, stored_file, whole_content

NAME_SHOWN = 60
PREVIEW_HEIGHT = 480


def file_card(client: OpenAI, file_id: str, place: str) -> None:
    """One line for a file. `place` tells two cards of the same file on a page apart."""
    file = stored_file(client, file_id)
    if file is None:
        st.caption(f":material/draft: A file that was deleted (`{file_id}`)")
        return
    key = f"{place}_{file_id}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"file_{key}"):
        st.markdown(
            f":material/draft: {plain(shortened(file.name, NAME_SHOWN))} :gray[{size(file.size)}]",
            width="content",
        )
        if st.button(
            "Preview", icon=":material/visibility:", type="tertiary", key=f"preview_{key}"
        ):
            title = plain(shortened(file.name, NAME_SHOWN))
            dialog(title, width="large", icon=":material/draft:")(show_preview)(client, file)
        st.download_button(
            "Download",
            # Fetched when it is asked for: an answer may have made large files.
            partial(whole_content, client, file.id),
            file_name=file.name,
            mime="application/octet-stream",
            icon=":material/download:",
            type="tertiary",
            key=f"download_{key}",
            on_click="ignore",
        )


def show_image(client: OpenAI, file_id: str, alt: str) -> None:
    """An image in the page; a sentence where it cannot be shown."""
    file = stored_file(client, file_id)
    if file is None:
        st.caption(":material/image_not_supported: An image that was deleted")
        return
    try:
        st.image(checked_image(_bounded(client, file, BYTES_READ["image"])), alt=alt)
    except PreviewError as problem:
        st.caption(f":material/image_not_supported: {problem}")


def show_preview(client: OpenAI, file: StoredFile) -> None:
    """As much of the file as can be shown safely, or a sentence."""
    try:
        _preview(client, file)
    except PreviewError as problem:
        st.caption(str(problem))
    except openai.OpenAIError as error:
        st.caption(sentence_for(error))


def _preview(client: OpenAI, file: StoredFile) -> None:
    kind = kind_of(file.name)
    limit = BYTES_READ[kind]
    match kind:
        case "image":
            image = checked_image(_bounded(client, file, limit))
            st.image(image, alt=f"Preview of {file.name}")
        case "pdf":
            content = checked_pdf(_bounded(client, file, limit))
            st.pdf(content, height=PREVIEW_HEIGHT, alt=f"Preview of {file.name}")
        case "table":
            _table(file, beginning(client, file, limit), file.size > limit)
        case "text":
            _text(beginning(client, file, limit), file.size > limit)


def _table(file: StoredFile, content: bytes, is_cut: bool) -> None:
    table = table_of(file.name, content, is_cut)
    st.dataframe(table.rows, hide_index=True, height="auto", alt=f"Preview of {file.name}")
    if not table.is_whole:
        st.caption("Only the beginning is shown.")


def _text(content: bytes, is_cut: bool) -> None:
    text = text_of(content)
    if not text:
        st.caption("The file is empty.")
        return
    # As plain text: a page or a drawing from elsewhere must not run as part of this one.
    st.code(text, language=None, wrap_lines=True, height=PREVIEW_HEIGHT)
    if is_cut:
        st.caption("Only the beginning is shown.")


def _bounded(client: OpenAI, file: StoredFile, limit: int) -> bytes:
    if file.size > limit:
        raise PreviewError(f"The file is too large to show here: {size(file.size)}.")
    return beginning(client, file, limit)
