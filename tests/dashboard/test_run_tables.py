from datetime import UTC

import pandas as pd

from lib.dashboard.run_tables import runs_table
from tests.dashboard.objects import run, usage


def test_a_run_becomes_a_row_in_words() -> None:
    finished = run(
        completed_at=1_006,
        usage=usage(50, 20),
        assistant_name="Math Tutor",
        thread_title="About `x`",
        answered_by="qwen2.5-coder-1.5b",
    )

    row = runs_table([finished], now=2_000, timezone=UTC).iloc[0]

    assert row["status"] == ["Completed"]
    assert row["assistant"] == "Math Tutor"
    assert row["thread"] == "About x"
    assert row["model"] == "qwen2.5-coder-1.5b"
    assert row["seconds"] == 5
    assert row["tokens_in"] == 50
    assert row["tokens_out"] == 20
    assert row["problem"] == ""


def test_a_run_at_work_counts_up_to_now() -> None:
    table = runs_table([run("in_progress")], now=1_011.7, timezone=UTC)

    assert table["seconds"].tolist() == [10]
    assert pd.isna(table["tokens_in"].iloc[0])


def test_a_queued_run_has_no_duration_yet() -> None:
    table = runs_table([run("queued", started_at=None)], now=1_011, timezone=UTC)

    assert pd.isna(table["seconds"].iloc[0])


def test_no_runs_make_an_empty_table() -> None:
    table = runs_table([], now=0, timezone=UTC)

    assert table.empty
    assert "status" in table.columns
