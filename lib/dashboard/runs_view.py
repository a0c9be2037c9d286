"""The parts of the Runs page: the table, and the chosen run with all that happened in it."""

import time
from functools import partial
from typing import Any, Literal

import openai
import streamlit as st
from openai import OpenAI
from openai.types.beta.threads.runs import RunStep

from lib.dashboard.answering import note_what_others_did
from lib.dashboard.client import studio_client
from lib.dashboard.dialogs import rerun_when_free
from lib.dashboard.errors import errors_in_words, sentence_for
from lib.dashboard.formatting import money, seconds
from lib.dashboard.inspector_api import (
    RunQuery,
    ToolCallRecord,
    change_runs,
    export_runs,
    find_listed_run,
    read_trace,
)
from lib.dashboard.labels import heading, plain
from lib.dashboard.masked import masked
from lib.dashboard.navigation import page
from lib.dashboard.notices import show_notices
from lib.dashboard.object_code import object_code
from lib.dashboard.run_again import run_again_button
from lib.dashboard.run_compare import compare_with
from lib.dashboard.run_contents import RunContents, contents_of
from lib.dashboard.run_filters import back_to_first_page, is_narrowed, run_order
from lib.dashboard.run_headline import headline, place_of_failure
from lib.dashboard.run_records import event_log, model_calls
from lib.dashboard.run_tables import UNNAMED, UNTITLED, run_seconds, runs_table, tokens_of
from lib.dashboard.run_timeline import timeline_chart
from lib.dashboard.run_words import (
    ACTIVE,
    STATUS_WORDS,
    UNFINISHED,
    cure_for,
    problem_of,
    words_for,
)
from lib.dashboard.sdk_calls import run_calls, step_calls
from lib.dashboard.step_details import step_body
from lib.dashboard.step_tables import steps_table
from lib.dashboard.studio_api import ListedRun, list_runs
from lib.dashboard.table_rows import (
    clicked_row,
    mark_rows,
    marked_rows,
    names_to_click,
    open_clicked,
)
from lib.dashboard.timezone import reader_timezone
from lib.dashboard.trace_words import trace_sentence
from lib.dashboard.unsent import show_unsent
from lib.dashboard.waiting_form import waiting_form

STEPS_SHOWN_WHOLE = 15
EXPORTS: list[tuple[str, Literal["csv", "jsonl"], str]] = [
    ("CSV", "csv", "text/csv"),
    ("JSON lines", "jsonl", "application/jsonl"),
]
PARTS = ["Steps", "Timeline", "Model calls", "Events", "Compare"]
RUNS_A_PAGE = 15
OPEN_RUN = "open_run"
LIVE = 1.0
"""Seconds between two looks while a run is at work."""
CALM = 5.0
BADGE_COLORS = {
    "gray": "#8A9795",
    "blue": "#3B7DD8",
    "violet": "#8465D8",
    "orange": "#D9822B",
    "green": "#2E9E68",
    "red": "#D9544D",
    "yellow": "#C09A1C",
}


def live_runs(filters: RunQuery) -> None:
    """The table and the chosen run; they refresh themselves, often while a run is at work."""
    pace = LIVE if st.session_state.get("runs_at_work") else CALM
    st.fragment(_runs_and_steps, run_every=pace)(filters)


def _runs_and_steps(filters: RunQuery) -> None:
    with errors_in_words("runs"):
        client = studio_client()
        cursors: list[str] = st.session_state.setdefault("runs_cursors", [])
        after = cursors[-1] if cursors else None
        with st.container(horizontal=True, vertical_alignment="center"):
            order = run_order()
            actions = st.container(horizontal=True, horizontal_alignment="right")
        query = {**filters, **order, "limit": RUNS_A_PAGE, "after": after}
        found = list_runs(client, **query)
        chosen = _chosen_run(client, found.data)
        if not found.data:
            _no_runs(bool(cursors) or is_narrowed(filters))
        else:
            with actions:
                _exports(client, filters)
            _table(found.data, chosen)
            _bulk_actions(client, found.data)
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
    linked = on_this_page or find_listed_run(client, run_id)
    if linked is None:
        st.info("The run of this link does not exist any more.", icon=":material/info:")
    return linked


def _table(runs: list[ListedRun], chosen: ListedRun | None) -> None:
    table = runs_table([masked(run) for run in runs], time.time(), reader_timezone())
    ids = [run.id for run in runs]
    marked: list[str] = st.session_state.setdefault("runs_marked", [])
    if chosen and chosen.id not in marked:
        marked = [chosen.id]
    rows = [ids.index(one) for one in marked if one in ids]
    # The selection is by position, and positions move whenever a new run comes in on top.
    mark_rows("runs_table", rows)
    st.session_state["runs_in_table"] = [(run.id, run.thread_id) for run in runs]
    st.session_state["runs_marked"] = [ids[row] for row in rows]
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        key="runs_table",
        on_select=_mark_runs,
        selection_mode="multi-row",
        placeholder="",
        column_config=RUN_COLUMNS,
        column_order=list(RUN_COLUMNS),
        alt="Runs",
    )


def _open_run() -> None:
    _choose_rows([clicked_row(OPEN_RUN)])


def _mark_runs() -> None:
    _choose_rows(marked_rows("runs_table"))


def _choose_rows(rows: list[int]) -> None:
    """One chosen run is shown whole; several are there to be stopped or deleted together."""
    in_table = st.session_state["runs_in_table"]
    st.session_state["runs_marked"] = [in_table[row][0] for row in rows]
    for name in ("run", "thread", "compare"):
        st.query_params.pop(name, None)
    if len(rows) == 1:
        st.query_params["run"], st.query_params["thread"] = in_table[rows[0]]


def _bulk_actions(client: OpenAI, runs: list[ListedRun]) -> None:
    marked = [run for run in runs if run.id in st.session_state["runs_marked"]]
    show_notices("runs")
    if len(marked) < 2:
        return
    active = [run.id for run in marked if run.status in UNFINISHED]
    over = [run.id for run in marked if run.status not in UNFINISHED]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{len(marked)} runs chosen", width="content")
        st.button(
            f"Stop {len(active)}",
            icon=":material/stop_circle:",
            disabled=not active,
            on_click=_change,
            args=(client, "cancel", active),
        )
        with st.popover("Delete", icon=":material/delete:", disabled=not over):
            st.markdown(
                f"Delete {len(over)} runs with their steps and figures? "
                "The messages stay in their threads. This cannot be undone."
            )
            st.button(
                f"Delete {len(over)} runs",
                type="primary",
                on_click=_change,
                args=(client, "delete", over),
            )


def _change(client: OpenAI, action: Literal["cancel", "delete"], run_ids: list[str]) -> None:
    try:
        result = change_runs(client, action, run_ids)
    except openai.OpenAIError as error:
        st.session_state["runs_problem"] = sentence_for(error)
        return
    verb = "Stopped" if action == "cancel" else "Deleted"
    st.session_state["runs_notice"] = f"{verb} {len(result.done)} runs."
    if result.refused:
        st.session_state["runs_problem"] = " ".join(one.message for one in result.refused[:3])
    st.session_state["runs_marked"] = []


def _exports(client: OpenAI, filters: RunQuery) -> None:
    for label, form, mime in EXPORTS:
        st.download_button(
            label,
            data=partial(export_runs, client, dict(filters), form),
            file_name=f"runs.{form}",
            mime=mime,
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
            help="All runs that the filters let through.",
        )


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


def _run_details(client: OpenAI, stored: ListedRun) -> None:
    run = masked(stored)
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
        run_again_button(client, stored)
        object_code(run, run_calls(run), "run")
    contents = contents_of(client, run)
    steps = contents.steps
    if problem_of(run):
        show = st.error if run.status == "failed" else st.info
        where = place_of_failure(steps) if run.status == "failed" else ""
        show(" ".join(filter(None, [problem_of(run), where, cure_for(run)])), icon=words.icon)
    note_what_others_did(run)
    if run.status == "requires_action":
        waiting_form(stored)
    show_unsent(run)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(words.label, icon=words.icon, color=words.color)
        st.markdown(headline(run, steps).replace("$", r"\$"), width="stretch")
    _facts(run)
    _trace(client, run)
    part = st.segmented_control(
        "Part", PARTS, default="Steps", label_visibility="collapsed", required=True, key="run_part"
    )
    match part:
        case "Timeline":
            timeline_chart(contents.inspection.spans, steps)
        case "Model calls":
            model_calls(client, run)
        case "Events":
            event_log(client, run)
        case "Compare":
            compare_with(client, run)
        case _:
            _steps(client, run, contents)


def _facts(run: ListedRun) -> None:
    took = run_seconds(run, time.time())
    tokens = tokens_of(run.usage)
    facts = {
        "Duration": "–" if took is None else seconds(took * 1000),
        "Waited": seconds(run.waited_ms) if run.waited_ms else "–",
        "Tokens in": f"{tokens['tokens_in']:,}" if tokens else "–",
        "Tokens out": f"{tokens['tokens_out']:,}" if tokens else "–",
        "Cost": "–" if run.cost is None else money(run.cost),
    }
    with st.grid(5, min_column_width=150):
        for label, value in facts.items():
            st.metric(label, value, border=True, help=_help(label, run, tokens))
    asked, answered = run.model, run.answered_by
    model = asked if answered in (None, asked) else f"{asked}, answered by {answered}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"{plain(run.assistant_name or UNNAMED)} · {plain(model)} · `{run.id}`", width="content"
        )
        st.button(
            "All runs of this thread",
            type="tertiary",
            icon=":material/forum:",
            on_click=_show_thread,
            args=(run.thread_id,),
        )


def _help(label: str, run: ListedRun, tokens: dict[str, int]) -> str | None:
    if label == "Waited":
        return "For people or programs to answer its function calls; part of the duration."
    if label == "Tokens in" and tokens:
        return f"{tokens['cached']:,} of them from the endpoint's cache."
    if label == "Tokens out" and tokens:
        return f"{tokens['reasoning']:,} of them for reasoning."
    if label == "Cost" and run.cost is None and any(tokens.values()):
        return "Nobody knows what this model costs. MODEL_PRICES sets a price of your own."
    return None


def _show_thread(thread_id: str) -> None:
    st.query_params["of"] = thread_id
    back_to_first_page()


def _trace(client: OpenAI, run: ListedRun) -> None:
    trace = read_trace(client, run)
    said = trace_sentence(trace, run.status not in UNFINISHED, time.time())
    if not said:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(said, width="content")
        if trace.url:
            st.link_button("Open in AgentOps", trace.url, icon=":material/open_in_new:")


def _steps(client: OpenAI, run: ListedRun, contents: RunContents) -> None:
    steps, inspection = contents.steps, contents.inspection
    if not steps:
        st.caption("No steps yet." if run.status in ACTIVE else "This run made no steps.")
        return
    table, opener = f"steps_{run.id}", f"open_step_{run.id}"
    state = st.dataframe(
        steps_table(steps, reader_timezone(), {one.id: one for one in inspection.steps}),
        hide_index=True,
        height="content" if len(steps) <= STEPS_SHOWN_WHOLE else 560,
        key=table,
        on_select="rerun",
        selection_mode="single-row",
        placeholder="",
        column_config=STEP_COLUMNS
        | {"type": names_to_click("Type", 105, opener, partial(open_clicked, table, opener))},
        alt="Steps of the chosen run",
    )
    rows = state["selection"]["rows"]
    if rows and rows[0] < len(steps):
        records = {record.id: record for record in inspection.tool_calls}
        _step_details(client, steps[rows[0]], records)
    else:
        st.caption("Choose a step to see it whole.")


def _step_details(client: OpenAI, step: RunStep, records: dict[str, ToolCallRecord]) -> None:
    with st.container(border=True):
        if step.last_error is not None:
            st.error(step.last_error.message, icon=":material/error:")
        step_body(client, step, records)
        object_code(step, step_calls(step), "step")


def _note_work(runs: list[ListedRun]) -> None:
    """Change the pace of refreshing when work begins or ends; it needs the page drawn anew."""
    at_work = any(run.status in ACTIVE for run in runs)
    before = st.session_state.get("runs_at_work", False)
    st.session_state["runs_at_work"] = at_work
    if before != at_work:
        rerun_when_free()


def _to_newer() -> None:
    st.session_state["runs_cursors"].pop()


def _to_older(cursor: str) -> None:
    st.session_state["runs_cursors"].append(cursor)


def _badges() -> dict[str, Any]:
    return {
        "options": [words.label for words in STATUS_WORDS.values()],
        "color": [BADGE_COLORS[words.color] for words in STATUS_WORDS.values()],
    }


RUN_COLUMNS = {
    "status": st.column_config.MultiselectColumn("Status", width=110, **_badges()),
    "thread": names_to_click("Thread", 210, OPEN_RUN, _open_run),
    "assistant": st.column_config.TextColumn("Assistant", width=115),
    "model": st.column_config.TextColumn("Model", width=120),
    "started": st.column_config.DatetimeColumn("Started", format="D MMM, HH:mm", width=100),
    "steps": st.column_config.NumberColumn("Steps", width=50),
    "seconds": st.column_config.NumberColumn("Duration", format="%.1f s", width=75),
    "waited": st.column_config.NumberColumn("Waited", format="%.1f s", width=65),
    "tokens_in": st.column_config.NumberColumn("Tokens in", format="localized", width=75),
    "cached": st.column_config.NumberColumn("Cached", format="localized", width=65),
    "tokens_out": st.column_config.NumberColumn("Tokens out", format="localized", width=80),
    "reasoning": st.column_config.NumberColumn("Reasoning", format="localized", width=75),
    "cost": st.column_config.NumberColumn("Cost", format="$%.4f", width=75),
    "problem": st.column_config.TextColumn("Problem", width="medium"),
}

STEP_COLUMNS = {
    "order": st.column_config.NumberColumn("#", width=40),
    "tool": st.column_config.TextColumn("Tool", width=90),
    "status": st.column_config.MultiselectColumn("Status", width=110, **_badges()),
    "started": st.column_config.DatetimeColumn("Started", format="HH:mm:ss", width=80),
    "seconds": st.column_config.NumberColumn("Duration", format="%.1f s", width=75),
    "tokens": st.column_config.NumberColumn("Tokens", format="localized", width=70),
    "cost": st.column_config.NumberColumn("Cost", format="$%.6f", width=95),
    "result": st.column_config.TextColumn("Result", width=330),
}
