"""The steps of finished runs, as the chat shows them beside the messages."""

from collections.abc import Sequence

import streamlit as st
from openai import OpenAI
from openai.types.beta.threads import Message, Run
from openai.types.beta.threads.runs import RunStep

from lib.dashboard.client import address_of
from lib.dashboard.run_words import UNFINISHED

Steps = Sequence[RunStep]


def steps_of_messages(
    client: OpenAI, messages: Sequence[Message], run: Run | None
) -> dict[str, Steps]:
    """The tool steps that came before each message of an assistant, by message id.

    `run` is the thread's newest run, which alone can still change.
    """
    run_ids = {(one.run_id, one.thread_id) for one in messages if one.run_id is not None}
    before: dict[str, Steps] = {}
    for run_id, thread_id in run_ids:
        assert run_id is not None
        is_final = run is None or run.id != run_id or run.status not in UNFINISHED
        before |= _before_messages(run_steps(client, thread_id, run_id, is_final))
    return before


def steps_without_message(client: OpenAI, run: Run) -> Steps:
    """The tool steps after a run's last message: a run that was cut short leaves some behind."""
    steps = run_steps(client, run.thread_id, run.id, run.status not in UNFINISHED)
    kinds = [step.type for step in steps]
    last = len(kinds) - kinds[::-1].index("message_creation") if "message_creation" in kinds else 0
    return steps[last:]


def run_steps(client: OpenAI, thread_id: str, run_id: str, is_final: bool) -> Steps:
    """Every step of a run, oldest first. Those of a run that is over are read once."""
    read = _steps_once if is_final else _steps
    return read(client, thread_id, run_id)


def _before_messages(steps: Steps) -> dict[str, Steps]:
    before: dict[str, Steps] = {}
    waiting: list[RunStep] = []
    for step in steps:
        if step.step_details.type == "message_creation":
            before[step.step_details.message_creation.message_id] = waiting
            waiting = []
        else:
            waiting.append(step)
    return before


def _steps(client: OpenAI, thread_id: str, run_id: str) -> list[RunStep]:
    return list(
        client.beta.threads.runs.steps.list(run_id, thread_id=thread_id, order="asc", limit=100)
    )


@st.cache_data(max_entries=500, show_spinner=False, hash_funcs={OpenAI: address_of})
def _steps_once(client: OpenAI, thread_id: str, run_id: str) -> list[RunStep]:
    return _steps(client, thread_id, run_id)
