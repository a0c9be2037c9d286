"""Two runs side by side."""

import time

import pandas as pd
import streamlit as st
from openai import OpenAI

from lib.dashboard.citations import markdown_with_numbers
from lib.dashboard.formatting import money, seconds, shortened
from lib.dashboard.inspector_api import find_listed_run
from lib.dashboard.masked import masked
from lib.dashboard.run_again import AGAIN_OF
from lib.dashboard.run_contents import contents_of
from lib.dashboard.run_headline import headline
from lib.dashboard.run_progress import message_text
from lib.dashboard.run_tables import UNNAMED, UNTITLED, run_seconds, tokens_of
from lib.dashboard.run_words import problem_of, words_for
from lib.dashboard.studio_api import ListedRun, list_runs

_TO_CHOOSE_FROM = 50


def compare_with(client: OpenAI, run: ListedRun) -> None:
    """Choose another run, and see both beside each other."""
    other_id = _choose(client, run)
    if other_id is None:
        st.caption("Choose a run to compare with.")
        return
    found = find_listed_run(client, other_id)
    if found is None:
        st.info("That run does not exist any more.", icon=":material/info:")
        return
    other = masked(found)
    st.dataframe(
        comparison_table(run, other, time.time()), hide_index=True, alt="Two runs compared"
    )
    for column, one in zip(st.columns(2), (run, other), strict=True):
        with column, st.container(border=True):
            _side(client, one, "This run" if one is run else "The other run")


def comparison_table(run: ListedRun, other: ListedRun, now: float) -> pd.DataFrame:
    """One row a fact. Columns: Fact, This run, The other run."""
    left, right = _facts(run, now), _facts(other, now)
    return pd.DataFrame(
        {"Fact": list(left), "This run": list(left.values()), "The other run": list(right.values())}
    )


def _choose(client: OpenAI, run: ListedRun) -> str | None:
    named = st.query_params.get("compare") or (run.metadata or {}).get(AGAIN_OF)
    others = [one for one in list_runs(client, limit=_TO_CHOOSE_FROM).data if one.id != run.id]
    labels = {one.id: _label(masked(one)) for one in others}
    if named:
        labels.setdefault(named, named)
    ids = list(labels)
    return st.selectbox(
        "Compare with",
        ids,
        index=ids.index(named) if named else None,
        format_func=lambda one: labels.get(one, one),
        placeholder="Another run",
        key=f"compare_{run.id}",
    )


def _label(run: ListedRun) -> str:
    title = shortened((run.thread_title or UNTITLED).replace("`", ""), 50)
    return f"{title} · {run.assistant_name or UNNAMED} · {run.answered_by or run.model}"


def _facts(run: ListedRun, now: float) -> dict[str, str]:
    took = run_seconds(run, now)
    tokens = tokens_of(run.usage)
    return {
        "Status": words_for(run.status).label,
        "Assistant": run.assistant_name or UNNAMED,
        "Model": run.answered_by or run.model,
        "Steps": str(run.step_count or 0),
        "Duration": "–" if took is None else seconds(took * 1000),
        "Waited for answers": seconds(run.waited_ms) if run.waited_ms else "–",
        "Tokens in": f"{tokens['tokens_in']:,}" if tokens else "–",
        "Tokens out": f"{tokens['tokens_out']:,}" if tokens else "–",
        "Cost": "–" if run.cost is None else money(run.cost),
        "Problem": problem_of(run) or "none",
    }


def _side(client: OpenAI, run: ListedRun, title: str) -> None:
    contents = contents_of(client, run)
    st.markdown(f"**{title}**")
    st.caption(headline(run, contents.steps).replace("$", r"\$"))
    st.markdown(markdown_with_numbers(_said(client, run)) or "_It said nothing._")


def _said(client: OpenAI, run: ListedRun) -> str:
    messages = client.beta.threads.messages.list(
        run.thread_id, run_id=run.id, order="asc", limit=100
    )
    return "\n\n".join(message_text(masked(message)) for message in messages)
