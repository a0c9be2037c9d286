"""Runs as a pandas table."""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

import pandas as pd
from openai import BaseModel
from openai.types.beta.threads import Run

from lib.dashboard.formatting import shortened
from lib.dashboard.run_words import problem_of, words_for
from lib.dashboard.studio_api import ListedRun

UNNAMED = "Unnamed assistant"
UNTITLED = "Untitled thread"
TITLE_SHOWN = 28
"""Characters of a title that fit into its column."""


def runs_table(runs: Sequence[ListedRun], now: float, timezone: tzinfo) -> pd.DataFrame:
    """One row a run, in the order given.

    Columns: status (list of one label, drawn as a badge), assistant, thread (the beginning of its
    title), model, started (in `timezone`), steps, seconds (float; up to `now` while the run is at
    work), waited (seconds for people), tokens_in, cached, tokens_out, reasoning (whole
    or missing), cost (US dollars or missing), problem (a sentence or empty).
    """
    table = pd.DataFrame(
        {
            "status": [[words_for(run.status).label] for run in runs],
            "assistant": [run.assistant_name or UNNAMED for run in runs],
            "thread": [_title(run) for run in runs],
            "model": [run.answered_by or run.model for run in runs],
            "started": pd.to_datetime([run.created_at for run in runs], unit="s", utc=True),
            "seconds": pd.array([run_seconds(run, now) for run in runs], dtype="Float64"),
            "cost": pd.array([run.cost for run in runs], dtype="Float64"),
            "waited": pd.array([_waited(run) for run in runs], dtype="Float64"),
            "steps": pd.array([run.step_count for run in runs], dtype="Int64"),
            **{
                name: pd.array([tokens_of(run.usage).get(name) for run in runs], dtype="Int64")
                for name in ("tokens_in", "cached", "tokens_out", "reasoning")
            },
            "problem": [problem_of(run) for run in runs],
        }
    )
    table["started"] = table["started"].dt.tz_convert(timezone)
    return table


def _title(run: ListedRun) -> str:
    return shortened((run.thread_title or UNTITLED).replace("`", ""), TITLE_SHOWN)


def _waited(run: ListedRun) -> float | None:
    return run.waited_ms / 1000 if run.waited_ms else None


def tokens_of(usage: BaseModel | None) -> dict[str, int]:
    """Tokens in, from a cache, out and for reasoning; empty until the run ends."""
    if usage is None:
        return {}
    counts = usage.to_dict()
    before: Any = counts.get("prompt_token_details") or {}
    after: Any = counts.get("completion_tokens_details") or {}
    return {
        "tokens_in": int(str(counts["prompt_tokens"])),
        "cached": int(before.get("cached_tokens") or 0),
        "tokens_out": int(str(counts["completion_tokens"])),
        "reasoning": int(after.get("reasoning_tokens") or 0),
    }


def run_seconds(run: ListedRun, now: float) -> float | None:
    """How long the run took, or has been at work; None before it starts."""
    if run.duration_ms is not None:
        return run.duration_ms / 1000
    if run.started_at is None:
        return None
    end = ended_at(run)
    if end is None:
        end = int(now)
    return float(max(0, end - run.started_at))


def ended_at(run: Run) -> int | None:
    """When the run reached its end, in Unix seconds; None while it has not."""
    return run.completed_at or run.failed_at or run.cancelled_at
