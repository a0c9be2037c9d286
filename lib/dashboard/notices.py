"""What a click brought about, said once on the page that is drawn after it."""

import streamlit as st


def show_notices(place: str) -> None:
    """Show and forget the notice and the problem that an action of this place left behind."""
    notice = st.session_state.pop(f"{place}_notice", None)
    if notice:
        st.toast(notice, icon=":material/check_circle:")
    problem = st.session_state.pop(f"{place}_problem", None)
    if problem:
        st.error(problem, icon=":material/error:")
