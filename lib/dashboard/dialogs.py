"""Dialogs that nothing but their reader closes.

Drawing the whole page anew closes an open dialog and loses what was typed in it. What does that
unasked, because an answer is complete or a number in the menu has changed, waits until no dialog
is open; its reader closing it draws the page anew.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import streamlit as st

P = ParamSpec("P")

_OPEN = "dialog_is_open"


def dialog(title: str, **options: Any) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """`st.dialog`, known to be open from its first drawing until its reader closes it."""

    def decorate(body: Callable[P, None]) -> Callable[P, None]:
        @wraps(body)
        def shown(*args: P.args, **kwargs: P.kwargs) -> None:
            st.session_state[_OPEN] = True
            body(*args, **kwargs)

        return st.dialog(title, on_dismiss="rerun", **options)(shown)

    return decorate


def begin_page() -> None:
    """To be called when the whole page is drawn: whatever was open is closed by that."""
    st.session_state[_OPEN] = False


def rerun_when_free() -> None:
    """Draw the whole page anew, or return when a dialog is open."""
    if not st.session_state.get(_OPEN):
        st.rerun()
