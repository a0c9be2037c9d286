"""The dashboard's password, asked for before anything is shown."""

import hmac
import time

import streamlit as st

PAUSE_AFTER_WRONG_PASSWORD = 1.0


def require_password(password: str | None) -> None:
    """Let the page go on only for someone who knows the password; None lets everyone in."""
    if password is None or st.session_state.get("signed_in"):
        return
    with st.container(horizontal_alignment="center"), st.form("sign_in", width=380):
        st.subheader("Sign in", icon=":material/lock:")
        given = st.text_input("Password", type="password", autocomplete="current-password")
        submitted = st.form_submit_button("Sign in", type="primary", width="stretch")
    if submitted:
        _check(given or "", password)
    st.stop()


def _check(given: str, password: str) -> None:
    if hmac.compare_digest(given.encode(), password.encode()):
        st.session_state["signed_in"] = True
        st.rerun()
    time.sleep(PAUSE_AFTER_WRONG_PASSWORD)
    st.error("This is not the dashboard's password.", icon=":material/error:")
