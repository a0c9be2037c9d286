"""The parts of the Runs page: the filters, the table, and the chosen run with its steps."""

import json
import time
from typing import Any

import streamlit as st
from openai import OpenAI
from openai.types.beta.threads.runs import RunStep

from lib.dashboard.answering import note_what_others_did
from lib.dashboard.client import studio_client
from lib.dashboard.code_calls import code_call_of
from lib.dashboard.code_view import show_cell
from lib.dashboard.conversation import assistants_to_choose_from
from lib.dashboard.errors import errors_in_words
from lib.dashboard.formatting import duration
from lib.dashboard.labels import heading, plain
from lib.dashboard.message_markdown import to_markdown
from lib.dashboard.navigation import page
from lib.dashboard.object_code import object_code
from lib.dashboard.run_progress import message_text
from lib.dashboard.run_tables import UNNAMED, UNTITLED, run_seconds, runs_table
from lib.dashboard.run_words import ACTIVE, STATUS_WORDS, cure_for, problem_of, words_for
from lib.dashboard.sdk_calls import run_calls, step_calls
from lib.dashboard.step_tables import steps_table
from lib.dashboard.studio_api import ListedRun, list_runs
from lib.dashboard.timezone import reader_timezone
from lib.dashboard.unsent import show_unsent
from lib.dashboard.waiting_form import waiting_form

RUNS_A_PAGE = 15
RUNS_SEARCHED_FOR_A_LINK = 1_000
LIVE = 1.0
BADGE_COLORS = {
    "gray": "#8A9795",
    "blue": "#3B7DD8",
    "violet": "#8465D8",
    "orange": "#D9822B",
    "green": "#2E9E68",
    "red": "#D9544D",
    "yellow": "#C09A1C",
}


def run_filters(client: OpenAI) -> dict[str, str | None]:
    """Which runs are shown, as the API's own filters."""
    names = {one.id: one.name or one.id for one in assistants_to_choose_from(client)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        status = st.selectbox(
            "Status",
            list(STATUS_WORDS),
            index=None,
            format_func=lambda one: words_for(one).label,
            placeholder="Any status",
            width=200,
            on_change=_back_to_newest,
        )
        assistant_id = st.selectbox(
            "Assistant",
            list(names),
            index=None,
            format_func=lambda one: names.get(one, one),
            placeholder="Any assistant",
            width=260,
            on_change=_back_to_newest,
        )
    return {"status": status, "assistant_id": assistant_id}


def live_runs(filters: dict[str, str | None]) -> None:
    """The table and the chosen run; they refresh themselves while a run is at work."""
    pace = LIVE if st.session_state.get("runs_at_work", True) else None
    st.fragment(_runs_and_steps, run_every=pace)(filters)


def _runs_and_steps(filters: dict[str, str | None]) -> None:
    with errors_in_words("runs"):
        client = studio_client()
        cursors: list[str] = st.session_state.setdefault("runs_cursors", [])
        after = cursors[-1] if cursors else None
        found = list_runs(client, limit=RUNS_A_PAGE, order="desc", after=after, **filters)
        if not found.data:
            _no_runs(bool(cursors) or any(filters.values()))
            _note_work([])
            return
        chosen = _chosen_run(client, found.data)
        _table(found.data, chosen)
        _page_buttons(cursors, found.data[-1].id if found.has_more else None)
        if chosen is not None:
            _run_details(client, chosen)
        _note_work([*found.data, *([chosen] if chosen else [])])


def _no_runs(is_filtered: bool) -> None:
    with st.container(border=True, horizontal_alignment="center"):
        st.space("small")
        if is_filtered:
            st.subheader("No run matches", text_alignment="center", anchor=False)
            st.caption("Choose other filters.", text_alignment="center")
        else:
            st.subheader("No runs yet", text_alignment="center", anchor=False)
            st.caption(
                "A run starts whenever an assistant is asked something.", text_alignment="center"
            )
            st.page_link(page("chat"), label="Ask something", icon=":material/chat:")
        st.space("small")


def _chosen_run(client: OpenAI, runs: list[ListedRun]) -> ListedRun | None:
    run_id = st.query_params.get("run")
    if run_id is None:
        return None
    on_this_page = next((run for run in runs if run.id == run_id), None)
    return on_this_page or _linked_run(client, run_id)


def _linked_run(client: OpenAI, run_id: str) -> ListedRun | None:
    thread_id = st.query_params.get("thread")
    listed = list_runs(client, limit=100, order="desc", thread_id=thread_id)
    for number, run in enumerate(listed):
        if run.id == run_id:
            return run
        if number == RUNS_SEARCHED_FOR_A_LINK:
            break
    st.info("The run of this link does not exist any more.", icon=":material/info:")
    return None


def _table(runs: list[ListedRun], chosen: ListedRun | None) -> None:
    table = runs_table(runs, time.time(), reader_timezone())
    ids = [run.id for run in runs]
    rows = [ids.index(chosen.id)] if chosen and chosen.id in ids else []
    # The selection is by position, and positions move whenever a new run comes in on top.
    st.session_state["runs_table"] = {"selection": {"rows": rows, "columns": [], "cells": []}}
    st.session_state["runs_in_table"] = [(run.id, run.thread_id) for run in runs]
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        key="runs_table",
        on_select=_choose_run,
        selection_mode="single-row",
        placeholder="",
        column_config=RUN_COLUMNS,
        alt="Runs, the newest first",
    )


def _choose_run() -> None:
    rows = st.session_state["runs_table"]["selection"]["rows"]
    if not rows:
        st.query_params.clear()
        return
    run_id, thread_id = st.session_state["runs_in_table"][rows[0]]
    st.query_params.from_dict({"run": run_id, "thread": thread_id})


def _page_buttons(cursors: list[str], next_cursor: str | None) -> None:
    if not cursors and next_cursor is None:
        return
    with st.container(horizontal=True, horizontal_alignment="center", vertical_alignment="center"):
        st.button(
            "Newer",
            icon=":material/chevron_left:",
            type="tertiary",
            disabled=not cursors,
            on_click=_to_newer,
        )
        st.caption(f"Page {len(cursors) + 1}", width="content")
        st.button(
            "Older",
            icon=":material/chevron_right:",
            icon_position="right",
            type="tertiary",
            disabled=next_cursor is None,
            on_click=_to_older,
            args=(next_cursor,),
        )


def _run_details(client: OpenAI, run: ListedRun) -> None:
    words = words_for(run.status)
    st.space("small")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(
            heading(run.thread_title or UNTITLED, 80),
            icon=words.icon,
            width="stretch",
            anchor=False,
        )
        st.page_link(
            page("chat"),
            label="Open in chat",
            icon=":material/chat:",
            query_params={"thread": run.thread_id, "assistant": run.assistant_id},
        )
        object_code(run, run_calls(run), "run")
    if problem_of(run):
        show = st.error if run.status == "failed" else st.info
        show(f"{problem_of(run)} {cure_for(run)}".strip(), icon=words.icon)
    note_what_others_did(run)
    if run.status == "requires_action":
        waiting_form(run)
    show_unsent(run)
    _facts(run)
    _steps(client, run)


def _facts(run: ListedRun) -> None:
    seconds = run_seconds(run, time.time())
    usage = run.usage
    facts = {
        "Status": words_for(run.status).label,
        "Duration": "–" if seconds is None else duration(seconds),
        "Prompt tokens": f"{usage.prompt_tokens:,}" if usage else "–",
        "Answer tokens": f"{usage.completion_tokens:,}" if usage else "–",
    }
    with st.grid(4, min_column_width=150):
        for label, value in facts.items():
            st.metric(label, value, border=True)
    asked, answered = run.model, run.answered_by
    model = asked if answered in (None, asked) else f"{asked}, answered by {answered}"
    st.caption(f"{plain(run.assistant_name or UNNAMED)} · {plain(model)} · `{run.id}`")


def _steps(client: OpenAI, run: ListedRun) -> None:
    steps = client.beta.threads.runs.steps.list(
        run.id, thread_id=run.thread_id, order="asc", limit=100
    ).data
    st.markdown("##### Steps")
    if not steps:
        st.caption("No steps yet." if run.status in ACTIVE else "This run made no steps.")
        return
    texts = _texts(client, run)
    state = st.dataframe(
        steps_table(steps, texts, reader_timezone()),
        hide_index=True,
        height="content",
        key=f"steps_{run.id}",
        on_select="rerun",
        selection_mode="single-row",
        placeholder="",
        column_config=STEP_COLUMNS,
        alt="Steps of the chosen run",
    )
    rows = state["selection"]["rows"]
    if rows and rows[0] < len(steps):
        _step_details(client, steps[rows[0]], texts)
    else:
        st.caption("Choose a step to see it whole.")


def _step_details(client: OpenAI, step: RunStep, texts: dict[str, str]) -> None:
    with st.container(border=True):
        details = step.step_details
        if step.last_error is not None:
            st.error(step.last_error.message, icon=":material/error:")
        if details.type == "message_creation":
            text = texts.get(details.message_creation.message_id, "")
            st.markdown(to_markdown(text) or "_No text yet._")
        else:
            for call in details.tool_calls:
                if call.type == "code_interpreter":
                    show_cell(client, code_call_of(call, step.status != "in_progress"))
                    continue
                st.code(json.dumps(call.to_dict(), indent=2, ensure_ascii=False), language="json")
        object_code(step, step_calls(step), "step")


def _texts(client: OpenAI, run: ListedRun) -> dict[str, str]:
    messages = client.beta.threads.messages.list(run.thread_id, run_id=run.id, limit=100).data
    return {message.id: message_text(message) for message in messages}


def _note_work(runs: list[ListedRun]) -> None:
    """Start or end the refreshing when that changes; it needs the page drawn anew."""
    at_work = any(run.status in ACTIVE for run in runs)
    before = st.session_state.get("runs_at_work", True)
    st.session_state["runs_at_work"] = at_work
    if before != at_work:
        st.rerun()


def _to_newer() -> None:
    st.session_state["runs_cursors"].pop()


def _to_older(cursor: str) -> None:
    st.session_state["runs_cursors"].append(cursor)


def _back_to_newest() -> None:
    st.session_state["runs_cursors"] = []


def _badges() -> dict[str, Any]:
    return {
        "options": [words.label for words in STATUS_WORDS.values()],
        "color": [BADGE_COLORS[words.color] for words in STATUS_WORDS.values()],
    }


RUN_COLUMNS = {
    "status": st.column_config.MultiselectColumn("Status", width=110, **_badges()),
    "assistant": st.column_config.TextColumn("Assistant", width=125),
    "thread": st.column_config.TextColumn("Thread", width=160),
    "model": st.column_config.TextColumn("Model", width=135),
    "started": st.column_config.DatetimeColumn("Started", format="D MMM, HH:mm", width=105),
    "seconds": st.column_config.NumberColumn("Duration", format="%d s", width=75),
    "tokens": st.column_config.NumberColumn("Tokens", format="localized", width=70),
    "problem": st.column_config.TextColumn("Problem", width="medium"),
}

STEP_COLUMNS = {
    "order": st.column_config.NumberColumn("#", width=40),
    "type": st.column_config.TextColumn("Type", width="small"),
    "status": st.column_config.MultiselectColumn("Status", width=110, **_badges()),
    "started": st.column_config.DatetimeColumn("Started", format="HH:mm:ss", width="small"),
    "seconds": st.column_config.NumberColumn("Duration", format="%d s", width="small"),
    "tokens": st.column_config.NumberColumn("Tokens", format="localized", width="small"),
    "result": st.column_config.TextColumn("Result", width=330),
}
