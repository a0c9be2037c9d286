"""Files that go along with a question: what the assistant can take, and how they get there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from openai import OpenAI
from openai.types.beta import Assistant
from streamlit.typing import UploadedFile

from lib.dashboard.file_previews import IMAGE_FORMATS
from lib.dashboard.labels import plain
from lib.dashboard.studio_api import Health

READS_FILES = ("code_interpreter", "file_search")
UNSENT = "files_not_sent_yet"
_UPLOADED = "files_uploaded"


@dataclass(frozen=True)
class Accepted:
    """What may be attached. No `tools` and no `images`: nothing."""

    tools: tuple[str, ...] = ()
    """The assistant's tools that read attached files."""
    images: bool = False
    """Images become part of the message, for a model that sees."""

    @property
    def anything(self) -> bool:
        return bool(self.tools) or self.images

    @property
    def file_types(self) -> list[str] | None:
        return None if self.tools else list(IMAGE_FORMATS)


@dataclass
class Enclosed:
    """Uploaded files on their way into a message."""

    attachments: list[dict[str, Any]] = field(default_factory=list)
    image_ids: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def content(self, text: str) -> str | list[dict[str, Any]]:
        """The message's content. A message needs words; without any, the files' names serve."""
        words = (text.strip() and text) or f"Attached: {', '.join(self.names)}"
        if not self.image_ids:
            return words
        images = [{"type": "image_file", "image_file": {"file_id": one}} for one in self.image_ids]
        return [{"type": "text", "text": words}, *images]


def accepted_by(assistant: Assistant, health: Health | None) -> Accepted:
    """Tools read what is attached for them; without tools, images for a model that may see."""
    tools = tuple(tool.type for tool in assistant.tools if tool.type in READS_FILES)
    may_see = health is not None and health.model.kind == "endpoint"
    return Accepted(tools, may_see and not tools)


def enclose(client: OpenAI, files: Sequence[UploadedFile], accepted: Accepted) -> Enclosed:
    """Upload the files. Raises openai.OpenAIError; tried again, no file is uploaded twice."""
    uploaded: dict[str, str] = st.session_state.setdefault(_UPLOADED, {})
    enclosed = Enclosed()
    for file in files:
        if file.file_id not in uploaded:
            sent = client.files.create(
                file=(file.name, file), purpose="assistants" if accepted.tools else "vision"
            )
            uploaded[file.file_id] = sent.id
        enclosed.names.append(file.name)
        _add(enclosed, uploaded[file.file_id], accepted)
    return enclosed


def unsent_files() -> list[UploadedFile]:
    """Files of a question that could not be put; they go along with the next one."""
    kept: list[UploadedFile] = st.session_state.get(UNSENT, [])
    return kept


def keep_unsent(files: Sequence[UploadedFile]) -> None:
    st.session_state[UNSENT] = list(files)


def show_unsent_files() -> None:
    """Say which files wait for the next question, and let them go."""
    if files := unsent_files():
        names = ", ".join(plain(file.name) for file in files)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f":material/attach_file: Goes along with your question: {names}")
            st.button("Remove", type="tertiary", on_click=keep_unsent, args=([],))


def _add(enclosed: Enclosed, file_id: str, accepted: Accepted) -> None:
    if not accepted.tools:
        enclosed.image_ids.append(file_id)
        return
    tools = [{"type": tool} for tool in accepted.tools]
    enclosed.attachments.append({"file_id": file_id, "tools": tools})
