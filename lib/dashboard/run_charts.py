"""What the shown runs come to: totals above the table, charts over time and by group."""

from typing import Any, cast

import altair as alt
import pandas as pd
import streamlit as st
from openai import OpenAI

from lib.dashboard.errors import errors_in_words
from lib.dashboard.formatting import compact, money_in_short, seconds, shortened
from lib.dashboard.inspector_api import (
    GroupedBy,
    RunFigures,
    RunQuery,
    RunStats,
    read_stats,
)
from lib.dashboard.timezone import reader_timezone, utc_offset

VIEWS: dict[str, GroupedBy] = {
    "By day": "day",
    "By assistant": "assistant",
    "By thread": "thread",
    "By model": "model",
}
_GROUPS_SHOWN = 100
TOTALS_EVERY = 5.0
"""Seconds."""
_TEAL = "#0E837A"


def live_totals(client: OpenAI, query: RunQuery) -> None:
    """One row of figures about all runs that the filters let through; it refreshes itself."""
    st.fragment(_totals, run_every=TOTALS_EVERY)(client, query)


def _totals(client: OpenAI, query: RunQuery) -> None:
    with errors_in_words("totals"):
        _draw_totals(client, query)


def _draw_totals(client: OpenAI, query: RunQuery) -> None:
    total = _stats(client, str(client.base_url), dict(query), None, 0).total
    rate = total.failure_rate
    tokens = compact(total.prompt_tokens + total.completion_tokens)
    facts = {
        "Runs": (f"{total.runs:,}", None),
        "Failed or expired": ("–" if rate is None else f"{rate:.0%}", None),
        "Half within": (_time(total.p50_ms), "Completed runs, without waiting for you."),
        "95% within": (_time(total.p95_ms), "Completed runs, without waiting for you."),
        "Tokens": (tokens, _token_details(total)),
        "Cost": (money_in_short(total.cost), _cost_details(total)),
    }
    with st.grid(6, min_column_width=120):
        for label, (value, help) in facts.items():
            st.metric(label, value, border=True, help=help)


def figures(client: OpenAI, query: RunQuery) -> None:
    """Charts and a table of the shown runs by day, assistant, thread or model."""
    chosen = st.segmented_control(
        "Figures", list(VIEWS), default="By day", label_visibility="collapsed", required=True
    )
    by = VIEWS[chosen or "By day"]
    with errors_in_words("figures"):
        stats = _stats(client, str(client.base_url), dict(query), by, utc_offset())
        if not stats.groups:
            st.caption("There is nothing to show yet.")
            return
        table = figures_table(stats.groups, by)
        if by == "day":
            _charts(table)
        st.dataframe(
            table.iloc[::-1] if by == "day" else table,
            hide_index=True,
            alt=f"Figures of the runs {chosen}",
            column_config=_columns(by),
        )


def figures_table(groups: list[RunFigures], by: GroupedBy) -> pd.DataFrame:
    """One row a group, in the order given.

    Columns: group (a date in the reader's time zone, or a name), runs, failed (share, 0 to 1),
    p50 and p95 (seconds), waited (seconds), tokens_in, cached, tokens_out, reasoning, cost.
    """
    names: list[object] = [
        pd.Timestamp(int(group.key or 0), unit="s", tz=reader_timezone()).date()
        if by == "day"
        else shortened(group.label or str(group.key), 60)
        for group in groups
    ]
    return pd.DataFrame(
        {
            "group": names,
            "runs": [group.runs for group in groups],
            "failed": pd.array([group.failure_rate for group in groups], dtype="Float64"),
            "p50": pd.array([_in_seconds(group.p50_ms) for group in groups], dtype="Float64"),
            "p95": pd.array([_in_seconds(group.p95_ms) for group in groups], dtype="Float64"),
            "waited": [group.waited_ms / 1000 for group in groups],
            "tokens_in": [group.prompt_tokens for group in groups],
            "cached": [group.cached_tokens for group in groups],
            "tokens_out": [group.completion_tokens for group in groups],
            "reasoning": [group.reasoning_tokens for group in groups],
            "cost": [group.cost for group in groups],
        }
    )


@st.cache_data(ttl=2, max_entries=64, show_spinner=False)
def _stats(
    _client: OpenAI,
    _url: str,
    query: dict[str, str | int | None],
    by: GroupedBy | None,
    offset: int,
) -> RunStats:
    more = {"limit": _GROUPS_SHOWN} if by else {}
    return read_stats(_client, query, by, utc_offset=offset, **more)


def _charts(table: pd.DataFrame) -> None:
    days = table.assign(group=pd.to_datetime(table["group"]))
    with st.grid(2, min_column_width=340):
        _chart("Runs a day", _bars(days, "runs", "Runs", "d"))
        _chart("Failed or expired", _bars(days, "failed", "Share", ".0%"))
        _chart("Time to answer", _durations(days))
        _chart("Cost a day", _bars(days, "cost", "US dollars", "$,.3~r"))


def _chart(title: str, chart: alt.Chart) -> None:
    with st.container(border=True):
        st.markdown(f"**{title}**")
        st.altair_chart(chart, height=190, alt=title)


def _bars(days: pd.DataFrame, column: str, title: str, form: str) -> alt.Chart:
    chart = (
        alt.Chart(days)
        .mark_bar(color=_TEAL, cornerRadiusEnd=3, size=max(2, min(26, 300 // max(1, len(days)))))
        .encode(
            x=_DAY_AXIS,
            y=alt.Y(f"{column}:Q", title=None, axis=alt.Axis(format=form, tickCount=4)),
            tooltip=[_DAY, alt.Tooltip(f"{column}:Q", title=title, format=form)],
        )
    )
    return cast(alt.Chart, chart)


def _durations(days: pd.DataFrame) -> alt.Chart:
    long = days.melt("group", ["p50", "p95"], "of", "seconds").replace(
        {"p50": "Half of the runs", "p95": "95% of the runs"}
    )
    chart = (
        alt.Chart(long)
        .mark_line(point=True)
        .encode(
            x=_DAY_AXIS,
            y=alt.Y("seconds:Q", title="Seconds", axis=alt.Axis(tickCount=4)),
            color=alt.Color("of:N", title=None, legend=alt.Legend(orient="top")),
            tooltip=[_DAY, "of:N", alt.Tooltip("seconds:Q", format=".1f")],
        )
    )
    return cast(alt.Chart, chart)


def _columns(by: GroupedBy) -> dict[str, Any]:
    number = st.column_config.NumberColumn
    first = (
        st.column_config.DateColumn("Day")
        if by == "day"
        else st.column_config.TextColumn(by.capitalize(), width="medium")
    )
    return {
        "group": first,
        "runs": number("Runs", format="localized"),
        "failed": number("Failed", format="percent", help="Failed or expired, of those over."),
        "p50": number("Half within", format="%.1f s"),
        "p95": number("95% within", format="%.1f s"),
        "waited": number("Waited for you", format="%.0f s"),
        "tokens_in": number("Tokens in", format="localized"),
        "cached": number("Cached", format="localized"),
        "tokens_out": number("Tokens out", format="localized"),
        "reasoning": number("Reasoning", format="localized"),
        "cost": number("Cost", format="$%.4f"),
    }


def _token_details(total: RunFigures) -> str:
    return (
        f"{total.prompt_tokens:,} in, {total.cached_tokens:,} of them from a cache; "
        f"{total.completion_tokens:,} out, {total.reasoning_tokens:,} of them for reasoning."
    )


def _cost_details(total: RunFigures) -> str | None:
    if not total.runs_without_price:
        return None
    return (
        f"{total.runs_without_price:,} runs are not counted: nobody knows what their model "
        "costs. MODEL_PRICES sets prices of your own."
    )


def _time(milliseconds: int | None) -> str:
    return "–" if milliseconds is None else seconds(milliseconds)


def _in_seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


_DAY = alt.Tooltip("group:T", title="Day", format="%d %b %Y")
_DAY_AXIS = alt.X("group:T", title=None, axis=alt.Axis(format="%d %b", tickCount=5))
