"""What one run consists of: read once when it is over, afresh while it can still change."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

import streamlit as st
from openai import OpenAI
from openai.types.beta.threads.runs import RunStep, RunStepInclude

from lib.dashboard.client import address_of
from lib.dashboard.inspector_api import Inspection, read_inspection
from lib.dashboard.masked import masked
from lib.dashboard.run_words import UNFINISHED
from lib.dashboard.studio_api import ListedRun

MOST_STEPS = 1_000
_PAGE = 100
_REMEMBER_SECONDS = 60
_SEARCH_CONTENT: RunStepInclude = "step_details.tool_calls[*].file_search.results[*].content"


@dataclass(frozen=True)
class RunContents:
    """Shared between sessions: not to be changed. Secrets are masked in it."""

    steps: Sequence[RunStep]
    """Oldest first, with what searches found."""
    inspection: Inspection


def contents_of(client: OpenAI, run: ListedRun) -> RunContents:
    """Raises openai.OpenAIError."""
    if run.status in UNFINISHED:
        return _read(client, run)
    return _read_once(client, run)


def _read(client: OpenAI, run: ListedRun) -> RunContents:
    steps = client.beta.threads.runs.steps.list(
        run.id, thread_id=run.thread_id, order="asc", limit=_PAGE, include=[_SEARCH_CONTENT]
    )
    return RunContents(
        [masked(step) for step in islice(steps, MOST_STEPS)], read_inspection(client, run)
    )


# Its messages may be deleted later: it is not remembered for ever.
@st.cache_resource(
    max_entries=50,
    ttl=_REMEMBER_SECONDS,
    show_spinner=False,
    hash_funcs={OpenAI: address_of, ListedRun: attrgetter("id")},
)
def _read_once(client: OpenAI, run: ListedRun) -> RunContents:
    return _read(client, run)
