"""A table's chosen rows: marked in its first column, or opened by a click on their name.

Streamlit waits 150 ms before it tells of a mark, for more may follow; a click on a name comes at
once.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st


def names_to_click(label: str, width: int, key: str, on_click: Callable[[], None]) -> Any:
    """The configuration of a column whose words open their row."""
    return st.column_config.ButtonColumn(
        label, width=width, type="tertiary", alignment="left", key=key, on_click=on_click
    )


def clicked_row(key: str) -> int:
    """The row whose name was clicked, the first is 0; to be asked in `on_click`."""
    row: int = st.session_state[key]["row"]
    return row


def mark_rows(table: str, rows: list[int]) -> None:
    """Mark these rows and no others; to be called before the table is drawn."""
    st.session_state[table] = {"selection": {"rows": rows, "columns": [], "cells": []}}


def marked_rows(table: str) -> list[int]:
    rows: list[int] = st.session_state[table]["selection"]["rows"]
    return rows


def open_clicked(table: str, key: str) -> None:
    """Mark the row whose name was clicked; for tables that show the marked row below."""
    mark_rows(table, [clicked_row(key)])
