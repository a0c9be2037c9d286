"""Code Interpreter in the assistant's form: the switch, and the files its code may read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import openai
import streamlit as st
from openai import OpenAI
from openai.types.beta import Assistant
from streamlit.typing import UploadedFile

from lib.dashboard.code_tool_status import code_tool_warning, has_code_tool, health_if_known
from lib.dashboard.formatting import size

TOOL = "code_interpreter"
MOST_FILES = 20
FILES_TO_CHOOSE_FROM = 200
_UPLOADED = "assistant_files_uploaded"


class TooManyFilesError(Exception):
    """More files than a tool takes. The text is a sentence."""


@dataclass(frozen=True)
class CodeToolChoice:
    """What the form says about Code Interpreter."""

    is_on: bool
    file_ids: Sequence[str]
    new_files: Sequence[UploadedFile]


def code_tool_fields(client: OpenAI, assistant: Assistant | None) -> CodeToolChoice:
    """Draw the block and give what is chosen in it."""
    is_on = st.toggle(
        "Code Interpreter",
        assistant is not None and has_code_tool(assistant),
        help="The assistant writes Python and runs it in a sandbox: to calculate, to read "
        "files, to draw and to make files.",
    )
    health = health_if_known(client)
    if health is not None:
        code_tool_warning(health.code_interpreter)
    chosen = _files_of(assistant)
    label = (
        f"Files for Code Interpreter ({len(chosen)})" if chosen else "Files for Code Interpreter"
    )
    with st.expander(label, icon=":material/attach_file:"):
        names = _names(client, chosen)
        file_ids = st.multiselect(
            "Files",
            list(names),
            default=chosen,
            format_func=lambda file_id: names.get(file_id, file_id),
            max_selections=MOST_FILES,
            placeholder="Choose from the files that are here already",
        )
        new_files = st.file_uploader("Upload new files", accept_multiple_files=True)
    return CodeToolChoice(is_on, file_ids, new_files)


def code_tool_values(
    client: OpenAI, assistant: Assistant | None, choice: CodeToolChoice, values: dict[str, Any]
) -> dict[str, Any]:
    """The assistant's `values` with tools and tool_resources as chosen; other tools stay.

    Uploads the new files. Raises TooManyFilesError and openai.OpenAIError.
    """
    if len(choice.file_ids) + len(choice.new_files) > MOST_FILES:
        raise TooManyFilesError(
            f"Code Interpreter takes at most {MOST_FILES} files; "
            f"take {len(choice.file_ids) + len(choice.new_files) - MOST_FILES} away."
        )
    file_ids = [*choice.file_ids, *(_upload(client, file) for file in choice.new_files)]
    given = [tool.to_dict() for tool in assistant.tools] if assistant else []
    tools = [tool for tool in values.get("tools", given) if tool["type"] != TOOL]
    changed = {**values, "tools": [*tools, {"type": TOOL}] if choice.is_on else tools}
    if choice.is_on or file_ids != _files_of(assistant):
        resources = {**values.get("tool_resources", {}), TOOL: {"file_ids": file_ids}}
        changed["tool_resources"] = resources
    return changed


def _files_of(assistant: Assistant | None) -> list[str]:
    resources = assistant.tool_resources if assistant else None
    section = resources.code_interpreter if resources else None
    return list((section.file_ids if section else None) or [])


def _names(client: OpenAI, chosen: Sequence[str]) -> dict[str, str]:
    """Files to choose from with name and size, by id; those chosen before are among them."""
    try:
        files = client.files.list(limit=FILES_TO_CHOOSE_FROM, order="desc").data
    except openai.OpenAIError:
        files = []
    names = {file.id: f"{file.filename} · {size(file.bytes)}" for file in files}
    return {**{file_id: f"{file_id} (deleted)" for file_id in chosen}, **names}


def _upload(client: OpenAI, file: UploadedFile) -> str:
    """Upload a file; saved again after an error, it is not uploaded twice."""
    uploaded: dict[str, str] = st.session_state.setdefault(_UPLOADED, {})
    if file.file_id not in uploaded:
        uploaded[file.file_id] = client.files.create(
            file=(file.name, file), purpose="assistants"
        ).id
    return uploaded[file.file_id]
