"""The parts of the Assistants page: cards, the form, and the question before deleting."""

from typing import Any

import openai
import pandas as pd
import streamlit as st
from openai import OpenAI
from openai.types.beta import Assistant

from lib.dashboard.assistant_knowledge import knowledge_choice
from lib.dashboard.client import studio_client
from lib.dashboard.code_tool_fields import (
    CodeToolChoice,
    TooManyFilesError,
    code_tool_fields,
    code_tool_values,
)
from lib.dashboard.code_tool_status import has_code_tool
from lib.dashboard.dialogs import dialog
from lib.dashboard.errors import sentence_for
from lib.dashboard.formatting import shortened
from lib.dashboard.function_editor import functions_button
from lib.dashboard.labels import plain
from lib.dashboard.metadata import MetadataError, metadata_from_table, metadata_table
from lib.dashboard.navigation import page
from lib.dashboard.object_code import object_code
from lib.dashboard.sdk_calls import assistant_calls

CARDS_AT_FIRST = 24
INSTRUCTIONS_LIMIT = 256_000
NAME_LIMIT = 256
DESCRIPTION_LIMIT = 512

MATH_TUTOR: dict[str, Any] = {
    "name": "Math Tutor",
    "description": "Explains mathematics step by step.",
    "instructions": (
        "You are a personal math tutor. "
        "Solve the problem step by step, one short line for each step, then state the result."
    ),
}


def newest_assistants(client: OpenAI, count: int) -> tuple[list[Assistant], bool]:
    """The newest assistants, and whether there are more."""
    found: list[Assistant] = []
    for assistant in client.beta.assistants.list(limit=min(100, count + 1)):
        if len(found) == count:
            return found, True
        found.append(assistant)
    return found, False


def model_names(client: OpenAI) -> list[str]:
    """The models the endpoint lists; empty while it cannot be asked."""
    try:
        return [model.id for model in client.with_options(timeout=10, max_retries=0).models.list()]
    except openai.OpenAIError:
        return []


def no_assistants_yet(default_model: str | None) -> None:
    """What to do first, in one click."""
    with st.container(border=True, horizontal_alignment="center"):
        st.space("small")
        st.subheader("Create your first assistant", text_alignment="center")
        st.markdown(
            "An assistant is a model with instructions. "
            "Start with a ready example, or write your own.",
            text_alignment="center",
        )
        with st.container(horizontal=True, horizontal_alignment="center"):
            st.button(
                "Create the Math Tutor",
                icon=":material/school:",
                type="primary",
                on_click=create_math_tutor,
                args=(default_model,),
            )
            if st.button("Start from scratch", icon=":material/add:"):
                assistant_form(None, default_model)
        st.space("small")


def create_math_tutor(default_model: str | None) -> None:
    """The example of the Assistants API's own guide, ready to chat with."""
    try:
        studio_client().beta.assistants.create(model=default_model or "default", **MATH_TUTOR)
    except openai.OpenAIError as error:
        st.session_state["assistants_problem"] = sentence_for(error)
        return
    st.session_state["assistants_notice"] = "Math Tutor is ready. Ask it something."


def assistant_card(assistant: Assistant, default_model: str | None) -> None:
    """One assistant: what it is, and what can be done with it."""
    with st.container(border=True, height="stretch", key=f"card_{assistant.id}"):
        st.markdown(f"#### {plain(assistant.name or 'Unnamed assistant')}")
        about = assistant.description or assistant.instructions or "No instructions yet."
        st.markdown(plain(shortened(about, 150)))
        st.badge(assistant.model, icon=":material/neurology:", color="gray")
        if has_code_tool(assistant):
            st.badge("Code Interpreter", icon=":material/terminal:", color="gray")
        st.space("stretch")
        st.code(assistant.id, language=None)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Chat",
                icon=":material/chat:",
                type="primary",
                key=f"chat_{assistant.id}",
                on_click=_chat_with,
                args=(assistant.id,),
            )
            if st.button("Edit", icon=":material/edit:", key=f"edit_{assistant.id}"):
                assistant_form(assistant, default_model)
            functions_button(assistant)
            if st.button(
                "Delete", icon=":material/delete:", type="tertiary", key=f"delete_{assistant.id}"
            ):
                confirm_delete(assistant)
            st.page_link(
                page("runs"),
                label="Runs",
                icon=":material/timeline:",
                query_params={"assistant": assistant.id},
                help="Its runs, with tokens, cost and durations over time.",
            )
            object_code(assistant, assistant_calls(assistant), "card")


@dialog("Assistant", width=720, icon=":material/school:")
def assistant_form(assistant: Assistant | None, default_model: str | None) -> None:
    """Create an assistant, or edit the given one."""
    client = studio_client()
    with st.form("assistant_form", border=False):
        name = st.text_input("Name", _text(assistant, "name"), max_chars=NAME_LIMIT)
        description = st.text_input(
            "Description", _text(assistant, "description"), max_chars=DESCRIPTION_LIMIT
        )
        instructions = st.text_area(
            "Instructions",
            _text(assistant, "instructions"),
            height=150,
            max_chars=INSTRUCTIONS_LIMIT,
            placeholder="You are a personal math tutor.",
            help="What the assistant should be and do; the model reads it before every thread.",
        )
        model = _model_choice(client, assistant, default_model)
        code_tool = code_tool_fields(client, assistant)
        warmth, share = st.columns(2)
        temperature = warmth.slider(
            "Temperature",
            0.0,
            2.0,
            _number(assistant, "temperature"),
            0.05,
            help="0 keeps to the likeliest words; higher values vary more.",
        )
        top_p = share.slider(
            "Top p",
            0.0,
            1.0,
            _number(assistant, "top_p"),
            0.05,
            help="Only the likeliest words that together reach this share are considered.",
        )
        knowledge = knowledge_choice(client, assistant)
        st.caption("Metadata: up to 16 pairs of your own, kept with the assistant.")
        table = st.data_editor(
            metadata_table(assistant.metadata if assistant else None),
            num_rows="dynamic",
            hide_index=True,
            height=145,
            alt="Metadata of the assistant",
            key="assistant_metadata",
        )
        label = "Save changes" if assistant else "Create assistant"
        submitted = st.form_submit_button(label, type="primary")
    if submitted:
        values = {
            "name": name or None,
            "description": description or None,
            "instructions": instructions or None,
            "model": model,
            "temperature": temperature,
            "top_p": top_p,
            **knowledge,
        }
        _save(client, assistant, values, table, code_tool)


@dialog("Delete this assistant?", icon=":material/delete:")
def confirm_delete(assistant: Assistant) -> None:
    """Ask before an assistant is deleted for good."""
    name = plain(assistant.name or assistant.id)
    st.markdown(
        f"**{name}** will be gone for good. Its threads and runs stay, "
        "and another assistant can take its threads on."
    )
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Keep it"):
            st.rerun()
        if st.button("Delete", type="primary", icon=":material/delete:"):
            _delete(assistant)


def _delete(assistant: Assistant) -> None:
    try:
        studio_client().beta.assistants.delete(assistant.id)
    except openai.OpenAIError as error:
        st.error(sentence_for(error), icon=":material/error:")
        return
    st.session_state["assistants_notice"] = f"{assistant.name or 'The assistant'} was deleted."
    st.rerun()


def _save(
    client: OpenAI,
    assistant: Assistant | None,
    values: dict[str, Any],
    table: pd.DataFrame,
    code_tool: CodeToolChoice,
) -> None:
    if not values["model"]:
        st.error("Choose a model, or type the name of one.", icon=":material/error:")
        return
    try:
        values["metadata"] = metadata_from_table(table)
        values = code_tool_values(client, assistant, code_tool, values)
        if assistant is None:
            client.beta.assistants.create(**values)
        else:
            client.beta.assistants.update(assistant.id, **_changed(assistant, values))
    except (MetadataError, TooManyFilesError) as error:
        st.error(str(error), icon=":material/error:")
        return
    except openai.OpenAIError as error:
        st.error(sentence_for(error), icon=":material/error:")
        return
    verb = "saved" if assistant else "ready"
    st.session_state["assistants_notice"] = f"{values['name'] or 'The assistant'} is {verb}."
    st.rerun()


def _changed(assistant: Assistant, values: dict[str, Any]) -> dict[str, Any]:
    """What differs from the assistant that the form showed: others may have changed the rest."""
    shown = assistant.to_dict() | {
        name: _number(assistant, name) for name in ("temperature", "top_p")
    }
    return {name: value for name, value in values.items() if value != shown.get(name)}


def _model_choice(
    client: OpenAI, assistant: Assistant | None, default_model: str | None
) -> str | None:
    names = model_names(client)
    chosen = assistant.model if assistant else default_model
    if chosen and chosen not in names:
        names = [chosen, *names]
    return st.selectbox(
        "Model",
        names,
        index=names.index(chosen) if chosen else None,
        accept_new_options=True,
        placeholder="Choose a model or type a name",
        help=(
            "The list comes from the model endpoint. You may type any other name, such as "
            "`gpt-4-1106-preview`: a name that the endpoint does not know is mapped by MODEL_MAP, "
            "or else answered by the default model."
        ),
    )


def _chat_with(assistant_id: str) -> None:
    st.switch_page(page("chat"), query_params={"assistant": assistant_id})


def _text(assistant: Assistant | None, field: str) -> str:
    return str(getattr(assistant, field, None) or "")


def _number(assistant: Assistant | None, field: str) -> float:
    value = getattr(assistant, field, None)
    return 1.0 if value is None else float(value)
