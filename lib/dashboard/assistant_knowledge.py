"""file_search of an assistant: whether it is on, and the store that is searched."""

from typing import Any

import openai
import streamlit as st
from openai import OpenAI
from openai.types import VectorStore
from openai.types.beta import Assistant

from lib.dashboard.file_words import store_name

TYPE = "file_search"
STORES_TO_CHOOSE_FROM = 100


def linked_store(assistant: Assistant | None) -> str | None:
    """The id of the store that the assistant searches."""
    resources = assistant.tool_resources if assistant else None
    section = resources.file_search if resources else None
    store_ids = (section.vector_store_ids if section else None) or []
    return store_ids[0] if store_ids else None


def knowledge_choice(client: OpenAI, assistant: Assistant | None) -> dict[str, Any]:
    """The switch and the store picker of the assistant's form; the fields they set."""
    stores = {store.id: store for store in _stores(client)}
    chosen = linked_store(assistant)
    ids = [*([chosen] if chosen and chosen not in stores else []), *stores]
    is_on = st.toggle(
        "Search files",
        any(tool.type == TYPE for tool in assistant.tools) if assistant else False,
        help="The assistant looks into the files of a store and cites where it found something.",
    )
    store_id = st.selectbox(
        "Files to search",
        ids,
        index=ids.index(chosen) if chosen else None,
        format_func=lambda one: store_name(stores[one]) if one in stores else one,
        placeholder="Choose a store" if ids else "No stores yet: see Knowledge",
    )
    return {
        "tools": _tools(assistant, is_on),
        "tool_resources": {TYPE: {"vector_store_ids": [store_id] if store_id else []}},
    }


def link_store(client: OpenAI, assistant_id: str, store_id: str | None) -> None:
    """Let an assistant search this store, switching file_search on; None takes the store off."""
    assistant = client.beta.assistants.retrieve(assistant_id)
    resources: Any = {TYPE: {"vector_store_ids": [store_id] if store_id else []}}
    client.beta.assistants.update(
        assistant_id,
        tools=_tools(assistant, is_on=store_id is not None),
        tool_resources=resources,
    )


def _tools(assistant: Assistant | None, is_on: bool) -> list[Any]:
    """The assistant's tools with file_search on or off; its options stay."""
    tools = [tool.to_dict() for tool in assistant.tools] if assistant else []
    if not is_on:
        return [tool for tool in tools if tool["type"] != TYPE]
    has_it = any(tool["type"] == TYPE for tool in tools)
    return tools if has_it else [*tools, {"type": TYPE}]


def _stores(client: OpenAI) -> list[VectorStore]:
    try:
        return client.vector_stores.list(limit=STORES_TO_CHOOSE_FROM).data
    except openai.OpenAIError:
        return []
