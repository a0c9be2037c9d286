"""What is being typed into a run's forms, kept by the server at every change.

The copy in the session makes drawing quick; the server's outlives the page, the browser and the
server itself.
"""

from dataclasses import dataclass
from typing import Any

import openai
import streamlit as st

from lib.dashboard.client import studio_client
from lib.dashboard.studio_api import keep_draft, read_draft

SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class FormDraft:
    """The draft of one form, by field ids. A preview belongs to no run and is kept nowhere."""

    place: str
    """Tells the forms of a page apart; the first part of every widget's key."""
    form_key: str
    run_id: str | None = None
    thread_id: str | None = None

    def values(self) -> dict[str, Any]:
        """What has been typed so far, by field id."""
        prefix = f"{self.form_key}{SEPARATOR}"
        return {
            key.removeprefix(prefix): value
            for key, value in self._all().items()
            if key.startswith(prefix)
        }

    def widget_key(self, field_id: str) -> str:
        return SEPARATOR.join([self.place, self.form_key, field_id])

    def keep(self, changes: dict[str, Any]) -> None:
        """Take in values by field id; None takes one out."""
        named = {f"{self.form_key}{SEPARATOR}{key}": value for key, value in changes.items()}
        values = self._all()
        values.update(named)
        for key in [key for key, value in named.items() if value is None]:
            del values[key]
        if self.run_id is None or self.thread_id is None:
            return
        try:
            keep_draft(studio_client(), self.thread_id, self.run_id, named)
        except openai.OpenAIError:
            st.toast("The server did not keep this yet; it stays on this page.", icon="⚠️")

    def forget_widgets(self, field_id: str) -> None:
        """Let the widgets of this field, and of those inside it, begin anew from the draft."""
        key = self.widget_key(field_id)
        for known in [str(one) for one in st.session_state]:
            if known == key or known.startswith(f"{key}."):
                del st.session_state[known]

    def _all(self) -> dict[str, Any]:
        name = f"draft_{self.place}"
        if name not in st.session_state:
            st.session_state[name] = self._from_server()
        values: dict[str, Any] = st.session_state[name]
        return values

    def _from_server(self) -> dict[str, Any]:
        if self.run_id is None or self.thread_id is None:
            return {}
        return read_draft(studio_client(), self.thread_id, self.run_id)
