"""What an answer's searches found: one line, and behind it every passage with its score."""

import streamlit as st
from openai import OpenAI
from openai.types.beta.threads.runs import FileSearchToolCall, RunStep
from openai.types.beta.threads.runs.file_search_tool_call import FileSearchResult

from lib.dashboard.errors import errors_in_words
from lib.dashboard.formatting import shortened
from lib.dashboard.labels import plain
from lib.dashboard.run_steps import Steps

PASSAGE_SHOWN = 400


def show_searches(client: OpenAI, steps: Steps) -> None:
    """The line `Searched 2 files` over an answer; nothing where no file was searched."""
    searches = [step for step in steps if _has_search(step)]
    if not searches:
        return
    popover = st.popover(
        _line(searches),
        icon=":material/manage_search:",
        type="tertiary",
        key=f"searches_{searches[0].id}",
        # The passages are fetched only once someone opens it.
        on_change="rerun",
    )
    if popover.open:
        with popover, errors_in_words(f"searches_{searches[0].id}"):
            for step in searches:
                _passages(client, step)


def _passages(client: OpenAI, step: RunStep) -> None:
    whole = client.beta.threads.runs.steps.retrieve(
        step.id,
        thread_id=step.thread_id,
        run_id=step.run_id,
        include=["step_details.tool_calls[*].file_search.results[*].content"],
    )
    for result in _results(whole):
        st.markdown(f"**{plain(result.file_name)}** · score {result.score:.2f}")
        text = " ".join(part.text or "" for part in result.content or [])
        st.caption(plain(shortened(text, PASSAGE_SHOWN)))


def _line(searches: list[RunStep]) -> str:
    files = {result.file_id for step in searches for result in _results(step)}
    if not files:
        return "Searched the files and found nothing"
    return "Searched 1 file" if len(files) == 1 else f"Searched {len(files)} files"


def _has_search(step: RunStep) -> bool:
    return any(isinstance(call, FileSearchToolCall) for call in _calls(step))


def _results(step: RunStep) -> list[FileSearchResult]:
    return [
        result
        for call in _calls(step)
        if isinstance(call, FileSearchToolCall)
        for result in call.file_search.results or []
    ]


def _calls(step: RunStep) -> list[object]:
    details = step.step_details
    return list(details.tool_calls) if details.type == "tool_calls" else []
