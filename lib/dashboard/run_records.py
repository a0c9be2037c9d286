"""What was recorded of a run: each call of a model with its exact input, and every event."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st
from openai import OpenAI

from lib.dashboard.inspector_api import (
    LoggedEvent,
    ModelCall,
    read_events,
    read_model_calls,
    read_model_input,
)
from lib.dashboard.studio_api import ListedRun
from lib.dashboard.timezone import reader_timezone

_MOST_TURNS_OPEN = 50
_ENDINGS = {
    "stop": "It had said all.",
    "tool_calls": "It called a tool.",
    "length": "It reached its limit of tokens.",
    "content_filter": "A content filter stopped it.",
}


def model_calls(client: OpenAI, run: ListedRun) -> None:
    """A table of the calls, and the chosen one's exact input."""
    calls = read_model_calls(client, run)
    if not calls:
        st.caption("No model was called.")
        return
    state = st.dataframe(
        calls_table(calls),
        hide_index=True,
        key=f"calls_{run.id}",
        on_select="rerun",
        selection_mode="single-row",
        placeholder="",
        column_config=CALL_COLUMNS,
        alt="Calls of a model for this run",
    )
    rows = state["selection"]["rows"]
    call = calls[rows[0]] if rows and rows[0] < len(calls) else _most_telling(calls)
    st.markdown(f"**Exactly what the model was shown in call {call.number}**")
    if call.error:
        st.error(_ending(call), icon=":material/error:")
    _model_input(read_model_input(client, run, call.number))


def _most_telling(calls: Sequence[ModelCall]) -> ModelCall:
    """The call that failed, else the first."""
    return next((call for call in calls if call.error), calls[0])


def calls_table(calls: Sequence[ModelCall]) -> pd.DataFrame:
    """One row a call. Columns: number, model, first (seconds to the first token), seconds,
    tokens_in, cached, tokens_out, cost, ending (why it stopped, or the error)."""
    usage = [call.usage or {} for call in calls]
    return pd.DataFrame(
        {
            "number": [call.number for call in calls],
            "model": [call.answered_by or call.model for call in calls],
            "first": pd.array([_first_token(call) for call in calls], dtype="Float64"),
            "seconds": [(call.ended_ms - call.started_ms) / 1000 for call in calls],
            "tokens_in": pd.array([one.get("prompt_tokens") for one in usage], dtype="Int64"),
            "cached": pd.array(
                [(one.get("prompt_token_details") or {}).get("cached_tokens") for one in usage],
                dtype="Int64",
            ),
            "tokens_out": pd.array([one.get("completion_tokens") for one in usage], dtype="Int64"),
            "cost": pd.array([call.cost for call in calls], dtype="Float64"),
            "ending": [_ending(call) for call in calls],
        }
    )


def event_log(client: OpenAI, run: ListedRun) -> None:
    """Every event with its time, and the chosen one's payload."""
    events = read_events(client, run)
    if not events:
        st.caption("No events were kept of this run.")
        return
    state = st.dataframe(
        events_table(events),
        hide_index=True,
        height=min(420, 38 + 35 * len(events)),
        key=f"events_{run.id}",
        on_select="rerun",
        selection_mode="single-row",
        placeholder="",
        column_config=EVENT_COLUMNS,
        alt="Event log of this run",
    )
    rows = state["selection"]["rows"]
    if rows and rows[0] < len(events):
        st.code(_json(events[rows[0]].data), language="json", height=380, wrap_lines=True)
    else:
        st.caption("Choose an event to see what it carried. Pieces of streamed text are left out.")


def events_table(events: Sequence[LoggedEvent]) -> pd.DataFrame:
    """One row an event. Columns: at (in the reader's time zone), after (seconds since the first),
    event, subject (the id of the run, step or message)."""
    at = pd.to_datetime([event.at_ms for event in events], unit="ms", utc=True)
    return pd.DataFrame(
        {
            "at": at.tz_convert(reader_timezone()),
            "after": [(event.at_ms - events[0].at_ms) / 1000 for event in events],
            "event": [event.event for event in events],
            "subject": [event.subject_id for event in events],
        }
    )


def _model_input(shown: dict[str, Any]) -> None:
    if not shown:
        st.caption("The input of this call was not kept.")
        return
    with st.expander("Instructions", icon=":material/psychology:", expanded=True):
        st.text(shown.get("instructions") or "None.")
    turns = shown.get("turns") or []
    if dropped := shown.get("turns_not_kept"):
        st.caption(f"The {dropped} oldest turns of this long input were not kept here.")
    for turn in turns[-_MOST_TURNS_OPEN:]:
        _turn(turn)
    tools = shown.get("tools") or []
    with st.expander(f"Tools ({len(tools)})", icon=":material/build:"):
        st.code(_json(tools), language="json", wrap_lines=True)
    with st.expander("The whole input as JSON", icon=":material/data_object:"):
        st.code(_json(shown), language="json", height=380, wrap_lines=True)


def _turn(turn: dict[str, Any]) -> None:
    if turn["role"] == "tools":
        for call in turn["calls"]:
            with st.expander(f"Tool {call['name']}", icon=":material/build:"):
                st.code(call["arguments"], language="json", wrap_lines=True)
                st.text(call["output"])
        return
    icon = ":material/person:" if turn["role"] == "user" else ":material/smart_toy:"
    content = turn["content"]
    text = content if isinstance(content, str) else "\n".join(map(_part, content))
    with st.container(border=True):
        st.caption(f"{icon} {turn['role'].capitalize()}")
        st.text(text)


def _part(part: dict[str, Any]) -> str:
    return str(part.get("text") or part.get("url") or "")


def _first_token(call: ModelCall) -> float | None:
    return None if call.first_token_ms is None else (call.first_token_ms - call.started_ms) / 1000


def _ending(call: ModelCall) -> str:
    if call.error:
        return str(call.error["message"])
    reason = call.finish_reason or ""
    return _ENDINGS.get(reason, reason)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


CALL_COLUMNS = {
    "number": st.column_config.NumberColumn("#", width=40),
    "model": st.column_config.TextColumn("Model", width=150),
    "first": st.column_config.NumberColumn("First token", format="%.2f s", width=90),
    "seconds": st.column_config.NumberColumn("Duration", format="%.2f s", width=85),
    "tokens_in": st.column_config.NumberColumn("Tokens in", format="localized", width=80),
    "cached": st.column_config.NumberColumn("Cached", format="localized", width=70),
    "tokens_out": st.column_config.NumberColumn("Tokens out", format="localized", width=85),
    "cost": st.column_config.NumberColumn("Cost", format="$%.6f", width=95),
    "ending": st.column_config.TextColumn("Ended", width=240),
}

EVENT_COLUMNS = {
    "at": st.column_config.DatetimeColumn("Time", format="HH:mm:ss.SSS", width=110),
    "after": st.column_config.NumberColumn("After", format="%.3f s", width=90),
    "event": st.column_config.TextColumn("Event", width=270),
    "subject": st.column_config.TextColumn("Of", width=250),
}
