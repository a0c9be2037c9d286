"""One step of a run, opened: what was said, run, searched and asked."""

import json
from collections.abc import Mapping
from typing import Any

import streamlit as st
from openai import OpenAI
from openai.types.beta.threads import Message
from openai.types.beta.threads.runs import RunStep

from lib.dashboard.file_cards import show_image
from lib.dashboard.formatting import moment
from lib.dashboard.inspector_api import ToolCallRecord
from lib.dashboard.message_markdown import to_markdown
from lib.dashboard.run_progress import message_text
from lib.dashboard.timezone import reader_timezone

WHO = {"server": "this server", "dashboard": "a person in this dashboard"}


def step_body(
    client: OpenAI,
    step: RunStep,
    messages: Mapping[str, Message],
    records: Mapping[str, ToolCallRecord],
) -> None:
    """All that the step did. `messages` and `records` of tool calls are by id."""
    details = step.step_details
    if details.type == "message_creation":
        _message(messages.get(details.message_creation.message_id))
        return
    for call in details.tool_calls:
        _call(client, call.to_dict(), records.get(call.id or ""))


def _call(client: OpenAI, call: dict[str, Any], record: ToolCallRecord | None) -> None:
    match call["type"]:
        case "code_interpreter":
            _code(client, call["code_interpreter"])
        case "file_search":
            _search(call.get("file_search") or {}, record)
        case _:
            _function(call)


def _message(message: Message | None) -> None:
    text = message_text(message) if message else ""
    st.markdown(to_markdown(text) or "_No text yet._")
    if message is None:
        return
    for number, citation in enumerate(_citations(message), start=1):
        st.caption(f"{number}. {citation}")


def _citations(message: Message) -> list[str]:
    found: list[str] = []
    for block in message.content:
        if block.type != "text":
            continue
        for annotation in block.text.annotations:
            cited: Any = annotation.to_dict().get("file_citation")
            if cited:
                found.append(_citation(annotation.text, cited))
    return found


def _citation(mark: str, cited: Mapping[str, Any]) -> str:
    where = cited.get("filename") or cited.get("file_id")
    page = f", page {cited['page']}" if cited.get("page") else ""
    quote = f": “{' '.join(str(cited['quote']).split())}”" if cited.get("quote") else ""
    return f"`{mark}` {where}{page}{quote}"


def _code(client: OpenAI, section: Mapping[str, Any]) -> None:
    st.markdown(":material/code: **Python**")
    st.code(section.get("input") or "# nothing yet", language="python", wrap_lines=True)
    for output in section.get("outputs") or []:
        if output["type"] == "logs":
            st.code(output["logs"], language=None, wrap_lines=True)
        elif output["type"] == "image":
            show_image(client, output["image"]["file_id"], "Figure made by the code")


def _search(section: Mapping[str, Any], record: ToolCallRecord | None) -> None:
    st.markdown(f":material/search: **Searched for** {_query(record)}")
    results = section.get("results") or []
    if not results:
        st.caption("Nothing was found.")
    sources = record.sources if record else []
    for rank, result in enumerate(results, start=1):
        source = sources[rank - 1] if rank <= len(sources) else {}
        text = "\n\n".join(part.get("text") or "" for part in result.get("content") or [])
        label = f"{rank}. {result['file_name']}{_page(source)} · score {result['score']:.2f}"
        with st.expander(label):
            st.text(text or "The text of this passage was not kept.")


def _query(record: ToolCallRecord | None) -> str:
    try:
        arguments = json.loads(record.arguments or "") if record else {}
    except ValueError:
        return record.arguments or "" if record else ""
    query = arguments.get("query") if isinstance(arguments, dict) else None
    return f"“{query}”" if query else "your files"


def _page(source: Mapping[str, Any]) -> str:
    pages = source.get("pages") or []
    return f", page {pages[0][1]}" if pages else ""


def _function(call: Mapping[str, Any]) -> None:
    function = call["function"]
    st.markdown(f":material/function: **{function['name']}** was called with")
    st.code(_pretty(function["arguments"]), language="json", wrap_lines=True)
    output = function.get("output")
    if output is None:
        st.caption("It has not been answered.")
        return
    st.markdown(f":material/reply: **Answer** {_who(call.get('answered'))}")
    st.code(_pretty(output), language="json", wrap_lines=True)


def _who(answered: Any) -> str:
    if not isinstance(answered, dict):
        return "submitted by a program"
    who = WHO.get(answered["by"], answered["by"])
    return f"given by {who}, {moment(answered['at'], reader_timezone())}"


def _pretty(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text
