"""The same input once more: another run on a thread of its own."""

import openai
import streamlit as st
from openai import OpenAI
from openai.types.beta import Thread
from openai.types.beta.threads import Run

from lib.dashboard.client import studio_client
from lib.dashboard.conversation import assistants_to_choose_from
from lib.dashboard.errors import sentence_for
from lib.dashboard.studio_api import ListedRun

AGAIN_OF = "again_of"
"""The metadata key under which the new run names the one it repeats."""


def run_again_button(client: OpenAI, run: ListedRun) -> None:
    """A small form: which assistant, which model."""
    # Its own for each run: the run that it starts is shown next, with the form closed.
    popover = st.popover(
        "Run again",
        icon=":material/replay:",
        type="tertiary",
        on_change="rerun",
        key=f"run_again_{run.id}",
    )
    if not popover.open:
        return
    names = {one.id: one.name or one.id for one in assistants_to_choose_from(client)}
    known = list(names)
    with popover, st.form("run_again_form", border=False):
        st.caption("Asks the same on a thread of its own, so that you can compare the two.")
        assistant_id = st.selectbox(
            "Assistant",
            known,
            index=known.index(run.assistant_id) if run.assistant_id in known else None,
            format_func=lambda one: names.get(one, one),
        )
        model = st.text_input("Model", value=run.model)
        is_sent = st.form_submit_button("Run again", type="primary")
    if is_sent and assistant_id:
        _start(run, assistant_id, model.strip() or run.model)


def run_again(client: OpenAI, run: Run, assistant_id: str, model: str) -> Run:
    """Ask what the run was asked, and start another run that answers it."""
    thread = _same_input(client, run)
    same = assistant_id == run.assistant_id
    return client.beta.threads.runs.create(
        thread.id,
        assistant_id=assistant_id,
        model=model,
        instructions=run.instructions if same else openai.omit,
        metadata={AGAIN_OF: run.id},
    )


def _same_input(client: OpenAI, run: Run) -> Thread:
    """A copy of the thread as it was when the run began."""
    last: str | None = None
    for message in client.beta.threads.messages.list(run.thread_id, order="asc", limit=100):
        if message.run_id == run.id or message.created_at > run.created_at:
            break
        last = message.id
    body = {"message_id": last} if last else {}
    return client.post(f"/threads/{run.thread_id}/fork", cast_to=Thread, body=body)


def _start(run: ListedRun, assistant_id: str, model: str) -> None:
    try:
        again = run_again(studio_client(), run, assistant_id, model)
    except openai.OpenAIError as error:
        st.error(sentence_for(error), icon=":material/error:")
        return
    st.query_params.from_dict({"run": again.id, "thread": again.thread_id, "compare": run.id})
    st.session_state["run_part"] = "Compare"
    st.rerun()
