"""The parts of the Batch page: the form, the list of batches, and the chosen one filling up."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Literal

import openai
import pandas as pd
import streamlit as st
from openai import OpenAI
from streamlit.typing import UploadedFile

from lib.dashboard.batch_api import (
    Batch,
    BatchItem,
    act_on_batch,
    create_batch,
    export_batch,
    list_batches,
    list_items,
    read_batch,
)
from lib.dashboard.client import studio_client
from lib.dashboard.conversation import assistants_to_choose_from
from lib.dashboard.dialogs import rerun_when_free
from lib.dashboard.errors import errors_in_words, sentence_for
from lib.dashboard.formatting import ago, shortened
from lib.dashboard.labels import plain
from lib.dashboard.message_markdown import to_markdown
from lib.dashboard.navigation import page
from lib.dashboard.notices import show_notices
from lib.dashboard.prompt_lists import UnreadablePromptsError, from_file, from_text
from lib.dashboard.run_words import STATUS_WORDS, words_for
from lib.dashboard.runs_view import BADGE_COLORS
from lib.dashboard.table_rows import names_to_click, open_clicked

LIVE = 1.0
ITEMS_A_PAGE = 100
NAME_SHOWN = 42
"""Characters of a prompt that fit into its column."""
MOST_PROMPTS = 10_000
EXPORTS: list[tuple[str, Literal["csv", "jsonl"]]] = [("CSV", "csv"), ("JSON lines", "jsonl")]
LABELS = {"pending": "In line", "deleted": "Deleted"} | {
    status: words.label for status, words in STATUS_WORDS.items()
}
COLORS = {"In line": BADGE_COLORS["gray"], "Deleted": BADGE_COLORS["gray"]} | {
    words.label: BADGE_COLORS[words.color] for words in STATUS_WORDS.values()
}


def new_batch(client: OpenAI) -> None:
    """The form that starts a batch."""
    names = {one.id: one.name or one.id for one in assistants_to_choose_from(client)}
    if not names:
        st.info("Create an assistant first; then it can answer many prompts at once.")
        st.page_link(page("assistants"), label="Assistants", icon=":material/school:")
        return
    with st.form("new_batch", clear_on_submit=False):
        assistant_id = st.selectbox(
            "Assistant", list(names), format_func=lambda one: names.get(one, one)
        )
        text = st.text_area(
            "Prompts, one a line", height=150, placeholder="What is 2 + 2?\nWhat is 3 × 3?"
        )
        file = st.file_uploader(
            "Or a file of prompts",
            type=["txt", "csv"],
            help="Text: one prompt a line. CSV: the column “prompt”, or else the first one.",
        )
        concurrency = st.slider("At once", 1, 32, 4, help="How many runs may be at work at once.")
        is_sent = st.form_submit_button(
            "Run them all", type="primary", icon=":material/play_arrow:"
        )
    if is_sent:
        _start(client, str(assistant_id), text, file, concurrency)


def live_batch() -> None:
    """The batches so far, and the chosen one; refreshed by itself while it is at work."""
    pace = LIVE if st.session_state.get("batch_at_work", False) else None
    st.fragment(_batch, run_every=pace)()


def items_table(items: Sequence[BatchItem]) -> pd.DataFrame:
    """One row a prompt. Columns: number, status (list of one label), prompt, answer (or what went
    wrong), seconds, cost (US dollars or missing)."""
    return pd.DataFrame(
        {
            "number": [item.number for item in items],
            "status": [[LABELS.get(item.status, item.status)] for item in items],
            "prompt": [shortened(item.prompt, NAME_SHOWN) for item in items],
            "answer": [shortened(item.answer or item.error or "", 300) for item in items],
            "seconds": pd.array([_seconds(item) for item in items], dtype="Float64"),
            "cost": pd.array([item.cost for item in items], dtype="Float64"),
        }
    )


def progress_words(batch: Batch) -> str:
    """`312 of 1,000 done · 2 failed · 4 at work`."""
    parts = [f"{batch.done:,} of {batch.total:,} done"]
    counts = batch.by_status
    for status in ("failed", "expired", "incomplete", "cancelled", "requires_action", "deleted"):
        if counts.get(status):
            parts.append(f"{counts[status]:,} {LABELS[status].lower()}")
    if at_work := counts.get("queued", 0) + counts.get("in_progress", 0):
        parts.append(f"{at_work:,} at work")
    return " · ".join(parts)


def _start(
    client: OpenAI, assistant_id: str, text: str, file: UploadedFile | None, concurrency: int
) -> None:
    try:
        prompts = from_text(text) + (from_file(file.name, file.getvalue()) if file else [])
        if problem := _problem_of(prompts):
            st.error(problem, icon=":material/error:")
            return
        name = shortened(prompts[0], 60)
        batch = create_batch(client, assistant_id, prompts, concurrency, name)
    except UnreadablePromptsError as error:
        st.error(str(error), icon=":material/error:")
        return
    except openai.OpenAIError as error:
        st.error(sentence_for(error), icon=":material/error:")
        return
    st.query_params["batch"] = batch.id
    st.session_state["batch_at_work"] = True
    st.session_state["batch_page"] = 1
    st.rerun()


def _problem_of(prompts: list[str]) -> str:
    if not prompts:
        return "There are no prompts yet: paste some, or upload a file."
    if len(prompts) > MOST_PROMPTS:
        return f"These are {len(prompts):,} prompts; a batch takes {MOST_PROMPTS:,}. Split them."
    return ""


def _batch() -> None:
    with errors_in_words("batch"):
        client = studio_client()
        show_notices("batch")
        batch = _choose(client, list_batches(client))
        if batch is not None:
            _progress(client, batch)
            _items(client, batch)
        _note_work(batch is not None and batch.done < batch.total)


def _choose(client: OpenAI, batches: list[Batch]) -> Batch | None:
    known = {one.id: one for one in batches}
    named = st.query_params.get("batch")
    if named and named not in known:
        try:
            known[named] = read_batch(client, named)
        except openai.NotFoundError:
            st.info("The batch of this link does not exist any more.", icon=":material/info:")
            named = None
    if not known:
        st.caption("No batch yet. What you start here goes on even when you close this page.")
        return None
    ids = list(known)
    chosen = st.selectbox(
        "Batch",
        ids,
        index=ids.index(named) if named else 0,
        format_func=lambda one: _label(known[one]) if one in known else one,
        key=f"batch_choice_{named}",
    )
    if chosen != named:
        st.query_params["batch"] = chosen
        st.session_state["batch_page"] = 1
    return known.get(chosen)


def _label(batch: Batch) -> str:
    return f"{batch.name} · {batch.total:,} prompts · {ago(batch.created_at, time.time())}"


def _progress(client: OpenAI, batch: Batch) -> None:
    st.progress(batch.done / max(1, batch.total), text=progress_words(batch))
    with st.container(horizontal=True):
        st.button(
            "Stop",
            icon=":material/stop_circle:",
            disabled=batch.done == batch.total,
            on_click=_act,
            args=(batch.id, "cancel"),
        )
        st.button(
            f"Retry the {batch.failed:,} failed" if batch.failed else "Retry the failed",
            icon=":material/replay:",
            disabled=not batch.failed,
            on_click=_act,
            args=(batch.id, "retry"),
        )
        for label, form in EXPORTS:
            st.download_button(
                f"Answers as {label}",
                data=partial(export_batch, client, batch.id, form),
                file_name=f"answers.{form}",
                icon=":material/download:",
                type="tertiary",
                on_click="ignore",
            )


def _act(batch_id: str, action: Literal["cancel", "retry"]) -> None:
    try:
        act_on_batch(studio_client(), batch_id, action)
    except openai.OpenAIError as error:
        st.session_state["batch_problem"] = sentence_for(error)


def _items(client: OpenAI, batch: Batch) -> None:
    pages = -(-batch.total // ITEMS_A_PAGE)
    at = min(int(st.session_state.get("batch_page", 1)), max(1, pages))
    items = list_items(client, batch.id, (at - 1) * ITEMS_A_PAGE, ITEMS_A_PAGE)
    table, opener = f"items_{batch.id}_{at}", f"open_item_{batch.id}_{at}"
    open_item = partial(open_clicked, table, opener)
    state = st.dataframe(
        items_table(items),
        hide_index=True,
        height="content" if len(items) <= 10 else 420,
        key=table,
        on_select="rerun",
        selection_mode="single-row",
        placeholder="",
        column_config=ITEM_COLUMNS | {"prompt": names_to_click("Prompt", 280, opener, open_item)},
        alt="Prompts of this batch with their answers",
    )
    if pages > 1:
        chosen = st.pagination(pages, default=at, key=f"pages_{batch.id}")
        if chosen and chosen != at:
            st.session_state["batch_page"] = chosen
            st.rerun(scope="fragment")
    rows = state["selection"]["rows"]
    if rows and rows[0] < len(items):
        _item(items[rows[0]])


def _item(item: BatchItem) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            icon = words_for(item.status).icon
            st.markdown(f"{icon} **{plain(shortened(item.prompt, 200))}**", width="stretch")
            if item.run_id and item.thread_id:
                st.page_link(
                    page("runs"),
                    label="Run",
                    icon=":material/timeline:",
                    query_params={"run": item.run_id, "thread": item.thread_id},
                )
        if item.error:
            st.error(item.error, icon=":material/error:")
        st.markdown(to_markdown(item.answer or "") or "_No answer yet._")


def _note_work(is_at_work: bool) -> None:
    """Start or end the refreshing when that changes; it needs the page drawn anew."""
    before = st.session_state.get("batch_at_work", False)
    st.session_state["batch_at_work"] = is_at_work
    if before != is_at_work:
        rerun_when_free()


def _seconds(item: BatchItem) -> float | None:
    return None if item.duration_ms is None else item.duration_ms / 1000


ITEM_COLUMNS = {
    "number": st.column_config.NumberColumn("#", width=50),
    "status": st.column_config.MultiselectColumn(
        "Status", width=110, options=list(COLORS), color=list(COLORS.values())
    ),
    "answer": st.column_config.TextColumn("Answer", width="large"),
    "seconds": st.column_config.NumberColumn("Duration", format="%.1f s", width=80),
    "cost": st.column_config.NumberColumn("Cost", format="$%.4f", width=75),
}
