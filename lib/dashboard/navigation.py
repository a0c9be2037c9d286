"""The pages of the dashboard: every one is listed here, none is discovered."""

from pathlib import Path
from typing import Literal

import streamlit as st
from streamlit.navigation.page import StreamlitPage

PageName = Literal["assistants", "chat", "waiting", "knowledge", "runs", "batch", "settings"]

FOLDER = Path(__file__).parents[2] / "pages"


def all_pages(waiting: int) -> list[StreamlitPage]:
    """The pages in the order of the menu; `waiting` runs are counted at theirs."""
    return [
        page("assistants"),
        page("chat"),
        page("waiting", f" :violet-badge[{waiting}]" if waiting else ""),
        page("knowledge"),
        page("runs"),
        page("batch"),
        page("settings"),
    ]


def page(name: PageName, badge: str = "") -> StreamlitPage:
    """A page by its file's name, to list it or to lead to it. `badge` stands behind its title."""
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
        case "waiting":
            return st.Page(
                FOLDER / "waiting.py",
                title=f"Waiting{badge}",
                icon=":material/front_hand:",
                help="Function calls that wait for a person, to be worked through one by one.",
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
        case "batch":
            return st.Page(
                FOLDER / "batch.py",
                title="Batch",
                icon=":material/playlist_play:",
                help="Many prompts for one assistant, some at a time, with all answers.",
            )
        case "settings":
            return st.Page(
                FOLDER / "settings.py",
                title="Settings",
                icon=":material/tune:",
                help="The model, the server's health and how to use it from your own code.",
            )
