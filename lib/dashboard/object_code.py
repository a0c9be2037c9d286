"""For every object shown: its raw JSON and the SDK call that makes or fetches it, to copy."""

import streamlit as st
from openai import BaseModel

from lib.dashboard.client import studio_settings
from lib.dashboard.masked import masked_text
from lib.dashboard.sdk_calls import YOUR_KEY, literal


def object_code(shown: BaseModel, calls: str, place: str) -> None:
    """A small button that opens the object's code. `place` tells two buttons on a page apart."""
    identifier = str(getattr(shown, "id", "object"))
    popover = st.popover(
        "Code",
        icon=":material/data_object:",
        type="tertiary",
        key=f"code_{place}_{identifier}",
        # The content is made only once someone opens it: a long thread holds many objects.
        on_change="rerun",
    )
    if not popover.open:
        return
    with popover:
        sdk, raw = st.tabs(["SDK call", "Raw JSON"])
        code = f"{_connection()}\n\n{masked_text(calls)}"
        sdk.code(code, language="python", width=620, wrap_lines=True)
        json = masked_text(shown.to_json(indent=2))
        raw.code(json, language="json", height=380, width=620, wrap_lines=True)


def own_url() -> str:
    """The API's address as the reader's browser reaches this server."""
    page = st.context.url or "http://localhost:8501"
    scheme, _, rest = page.partition("://")
    return f"{scheme}://{rest.split('/')[0]}/v1"


def _connection() -> str:
    key = YOUR_KEY if studio_settings().accepted_keys else "no-key-needed"
    return (
        "from openai import OpenAI\n\n"
        f"client = OpenAI(base_url={literal(own_url())}, api_key={literal(key)})"
    )
