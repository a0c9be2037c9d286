"""The pages of the dashboard: every one is listed here, none is discovered."""

from pathlib import Path
from typing import Literal

import streamlit as st
from streamlit.navigation.page import StreamlitPage

PageName = Literal["assistants", "chat", "knowledge", "runs", "settings"]

FOLDER = Path(__file__).parents[2] / "pages"


def all_pages() -> list[StreamlitPage]:
    """The pages in the order of the menu."""
    return [page("assistants"), page("chat"), page("knowledge"), page("runs"), page("settings")]


def page(name: PageName) -> StreamlitPage:
    """A page by its file's name, to list it or to lead to it."""
    match name:
        case "assistants":
            return st.Page(
                FOLDER / "assistants.py",
                title="Assistants",
                icon=":material/school:",
                default=True,
                help="Create, edit and delete assistants.",
            )
        case "chat":
            return st.Page(
                FOLDER / "chat.py",
                title="Chat",
                icon=":material/chat:",
                help="Talk to an assistant and watch its answer stream in.",
            )
        case "knowledge":
            return st.Page(
                FOLDER / "knowledge.py",
                title="Knowledge",
                icon=":material/library_books:",
                help="Files that assistants search: upload, watch, try a search.",
            )
        case "runs":
            return st.Page(
                FOLDER / "runs.py",
                title="Runs",
                icon=":material/timeline:",
                help="Every run with its status, duration, tokens and steps.",
            )
        case "settings":
            return st.Page(
                FOLDER / "settings.py",
                title="Settings",
                icon=":material/tune:",
                help="The model, the server's health and how to use it from your own code.",
            )
