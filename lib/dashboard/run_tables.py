"""Runs as a pandas table."""

from collections.abc import Sequence
from datetime import tzinfo

import pandas as pd
from openai.types.beta.threads import Run

from lib.dashboard.run_words import problem_of, words_for
from lib.dashboard.studio_api import ListedRun

UNNAMED = "Unnamed assistant"
UNTITLED = "Untitled thread"


def runs_table(runs: Sequence[ListedRun], now: float, timezone: tzinfo) -> pd.DataFrame:
    """One row a run, in the order given.

    Columns: status (list of one label, drawn as a badge), assistant, thread, model, started (in
    `timezone`), seconds (float; up to `now` while the run is at work), tokens (whole or missing),
    problem (a sentence or empty).
    """
    table = pd.DataFrame(
        {
            "status": [[words_for(run.status).label] for run in runs],
            "assistant": [run.assistant_name or UNNAMED for run in runs],
            "thread": [(run.thread_title or UNTITLED).replace("`", "") for run in runs],
            "model": [run.answered_by or run.model for run in runs],
            "started": pd.to_datetime([run.created_at for run in runs], unit="s", utc=True),
            "seconds": pd.array([run_seconds(run, now) for run in runs], dtype="Float64"),
            "tokens": pd.array([run_tokens(run) for run in runs], dtype="Int64"),
            "problem": [problem_of(run) for run in runs],
        }
    )
    table["started"] = table["started"].dt.tz_convert(timezone)
    return table


def run_seconds(run: Run, now: float) -> float | None:
    """How long the run has been at work; None before it starts."""
    if run.started_at is None:
        return None
    end = ended_at(run)
    if end is None:
        end = int(now)
    return float(max(0, end - run.started_at))


def ended_at(run: Run) -> int | None:
    """When the run reached its end, in Unix seconds; None while it has not."""
    return run.completed_at or run.failed_at or run.cancelled_at


def run_tokens(run: Run) -> int | None:
    """All tokens of the run, prompt and answer; None until it ends."""
    return run.usage.total_tokens if run.usage else None
