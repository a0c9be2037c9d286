"""One step of a run, opened: what was said, run, searched and asked."""

import json
from collections.abc import Mapping
from typing import Any

import openai
import streamlit as st
from openai import OpenAI
from openai.types.beta.threads.runs import RunStep

from lib.dashboard.citations import CitedSource, cited_sources, markdown_with_numbers
from lib.dashboard.code_calls import code_call_of
from lib.dashboard.code_view import show_cell
from lib.dashboard.formatting import moment, shortened
from lib.dashboard.inspector_api import ToolCallRecord
from lib.dashboard.labels import plain
from lib.dashboard.masked import masked
from lib.dashboard.run_progress import message_text
from lib.dashboard.timezone import reader_timezone

_A_PROGRAM = "program"
WHO = {
    "server": "this server, which ran the function",
    "dashboard": "a person in this dashboard",
    _A_PROGRAM: "a program, through the API",
}


def step_body(
    client: OpenAI,
    step: RunStep,
    records: Mapping[str, ToolCallRecord],
) -> None:
    """All that the step did. `records` of tool calls are by id. Raises openai.OpenAIError."""
    details = step.step_details
    if details.type == "message_creation":
        _message(client, step.thread_id, details.message_creation.message_id)
        return
    for call in details.tool_calls:
        match call.type:
            case "code_interpreter":
                show_cell(client, code_call_of(call, is_over=step.status != "in_progress"))
            case "file_search":
                _search(call.to_dict().get("file_search"), records.get(call.id))
            case "function":
                _function(call.to_dict(), step)


def _message(client: OpenAI, thread_id: str, message_id: str) -> None:
    try:
        stored = client.beta.threads.messages.retrieve(message_id, thread_id=thread_id)
    except openai.NotFoundError:
        st.caption("The message was deleted since.")
        return
    message = masked(stored)
    st.markdown(markdown_with_numbers(message_text(message)) or "_No text yet._")
    for source in cited_sources(message):
        st.caption(f":blue-badge[{source.number}] {plain(source.filename)}{_quotes(source)}")


def _quotes(source: CitedSource) -> str:
    """`, page 3: “…”` for each passage."""
    return ";".join(
        f"{f', page {passage.page}' if passage.page else ''}: “{plain(shortened(passage.quote))}”"
        for passage in source.passages
    )


def _search(section: Any, record: ToolCallRecord | None) -> None:
    st.markdown(f":material/search: **Searched for** {_query(record)}")
    results = (section or {}).get("results") or []
    if not results:
        st.caption("Nothing was found.")
    sources = record.sources if record else []
    for rank, result in enumerate(results, start=1):
        source = sources[rank - 1] if rank <= len(sources) else {}
        text = "\n\n".join(part.get("text") or "" for part in result.get("content") or [])
        label = f"{rank}. {result['file_name']}{_page(source)} · score {result['score']:.2f}"
        with st.expander(label, expanded=rank == 1):
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


def _function(call: Mapping[str, Any], step: RunStep) -> None:
    function = call["function"]
    st.markdown(f":material/function: **{function['name']}** was called with")
    st.code(_pretty(function["arguments"]), language="json", wrap_lines=True)
    output = function.get("output")
    if output is None:
        st.caption("It has not been answered.")
        return
    st.markdown(f":material/reply: **Answer** {_who(call.get('answered'), step)}")
    st.code(_pretty(output), language="json", wrap_lines=True)


def _who(answered: Any, step: RunStep) -> str:
    """Who gave the answer and when; the step ends with its answers."""
    told = answered if isinstance(answered, dict) else {}
    by, at = str(told.get("by") or _A_PROGRAM), told.get("at") or step.completed_at
    when = f", {moment(at, reader_timezone())}" if at else ""
    return f"given by {WHO.get(by, plain(by))}{when}"


def _pretty(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text
