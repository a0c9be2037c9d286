"""A run as a chart over time: its turn, the model's first word, its answer, tools and answers."""

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st
from openai.types.beta.threads.runs import RunStep

from lib.dashboard.formatting import seconds
from lib.dashboard.inspector_api import Span
from lib.dashboard.step_tables import STEP_TYPES, TOOLS

KINDS = {
    "queue": "Waits for its turn",
    "first_token": "Model reads",
    "answer": "Model writes",
    "tool": "Tool at work",
    "person": "Waits for an answer",
}
COLORS = ["#8A9795", "#78AEF0", "#2563B8", "#2E9E68", "#D9822B"]
_ROW = 30
_THINNEST = 14
_TALLEST = 1200


def timeline_chart(spans: Sequence[Span], steps: Sequence[RunStep]) -> None:
    """Draw it; one line for the run and one for each step."""
    if not spans:
        st.caption("Nothing was recorded of this run's timing.")
        return
    table = timeline_table(spans, steps)
    rows = list(dict.fromkeys(table["row"]))
    chart = (
        alt.Chart(table)
        .mark_bar(cornerRadius=3)
        .encode(
            x=alt.X("start:Q", title="Seconds since the run was created"),
            x2="end:Q",
            y=alt.Y(
                "row:N", title=None, sort=rows, axis=alt.Axis(labelLimit=180, labelOverlap=False)
            ),
            color=alt.Color(
                "what:N",
                title=None,
                scale=alt.Scale(domain=list(KINDS.values()), range=COLORS),
                legend=alt.Legend(orient="bottom", columns=5, labelLimit=170),
            ),
            tooltip=["row:N", "what:N", alt.Tooltip("name:N", title="who"), "took:N"],
        )
    )
    row = max(_THINNEST, min(_ROW, _TALLEST // len(rows)))
    chart = chart.properties(height=alt.Step(row))
    st.altair_chart(chart, height="content", alt="What the run did when")


def timeline_table(spans: Sequence[Span], steps: Sequence[RunStep]) -> pd.DataFrame:
    """One row a span. Columns: row, what, name, start and end (seconds), took (in words)."""
    labels = {
        step.id: f"{n} {STEP_TYPES.get(step.type, step.type)}" for n, step in enumerate(steps, 1)
    }
    began = min(span.started_ms for span in spans)
    return pd.DataFrame(
        {
            "row": [labels.get(span.step_id or "", "Run") for span in spans],
            "what": [KINDS.get(span.kind, span.kind) for span in spans],
            "name": [TOOLS.get(span.name, span.name) for span in spans],
            "start": [(span.started_ms - began) / 1000 for span in spans],
            "end": [(span.ended_ms - began) / 1000 for span in spans],
            "took": [seconds(span.ended_ms - span.started_ms) for span in spans],
        }
    )
