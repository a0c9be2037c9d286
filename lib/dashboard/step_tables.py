"""The steps of a run as a pandas table."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

import pandas as pd
from openai.types.beta.threads.runs import RunStep

from lib.dashboard.citations import without_markers
from lib.dashboard.code_calls import ERROR
from lib.dashboard.formatting import shortened
from lib.dashboard.inspector_api import StepFigures
from lib.dashboard.run_words import words_for

TOOLS = {"code_interpreter": "Python", "file_search": "File search", "function": "Function"}
STEP_TYPES = {"message_creation": "Message", "tool_calls": "Tool calls"}


def steps_table(
    steps: Sequence[RunStep],
    timezone: tzinfo,
    figures: Mapping[str, StepFigures] | None = None,
) -> pd.DataFrame:
    """One row a step, in the order given. `figures` are by step id.

    Columns: order (from 1), type, tool, status (list of one label), started (in `timezone`),
    seconds (float or missing while at work; to the millisecond where `figures` tell),
    tokens (whole or missing), cost (US dollars or missing), result (one line).
    """
    known = figures or {}
    table = pd.DataFrame(
        {
            "order": range(1, len(steps) + 1),
            "type": [STEP_TYPES.get(step.type, step.type) for step in steps],
            "tool": [", ".join(sorted({*_tools(step)})) for step in steps],
            "status": [[words_for(_status(step)).label] for step in steps],
            "started": pd.to_datetime([step.created_at for step in steps], unit="s", utc=True),
            "seconds": pd.array([_seconds(step, known) for step in steps], dtype="Float64"),
            "tokens": pd.array([_tokens(step) for step in steps], dtype="Int64"),
            "cost": pd.array(
                [known[step.id].cost if step.id in known else None for step in steps],
                dtype="Float64",
            ),
            "result": [step_result(step, known.get(step.id)) for step in steps],
        }
    )
    table["started"] = table["started"].dt.tz_convert(timezone)
    return table


def _status(step: RunStep) -> str:
    """The step's status; one that waits for somebody's outputs says so, as its run does."""
    details = step.step_details
    if step.status != "in_progress" or details.type != "tool_calls":
        return step.status
    waits = any(call.type == "function" and not call.function.output for call in details.tool_calls)
    return "requires_action" if waits else step.status


def _seconds(step: RunStep, figures: Mapping[str, StepFigures]) -> float | None:
    exact = figures.get(step.id)
    if exact is None or exact.ended_ms is None:
        return step_seconds(step)
    return (exact.ended_ms - exact.started_ms) / 1000


def _tools(step: RunStep) -> list[str]:
    details = step.step_details
    if details.type != "tool_calls":
        return []
    return [TOOLS.get(call.type, call.type) for call in details.tool_calls]


def step_seconds(step: RunStep) -> float | None:
    """How long the step took; None while it is at work."""
    end = step.completed_at or step.failed_at or step.cancelled_at or step.expired_at
    return None if end is None else float(max(0, end - step.created_at))


def step_result(step: RunStep, figures: StepFigures | None) -> str:
    """What the step brought, in one line: the error, the message, or the tools it called."""
    if step.last_error is not None:
        return shortened(step.last_error.message, 160)
    details = step.step_details
    if details.type == "message_creation":
        said = (figures.said if figures else None) or ""
        return shortened(without_markers(said), 160)
    return ", ".join(_call_result(call.to_dict()) for call in details.tool_calls)


def _call_result(call: Mapping[str, Any]) -> str:
    match call["type"]:
        case "code_interpreter":
            return _code_result(call["code_interpreter"])
        case "file_search":
            return _search_result(call.get("file_search") or {})
    return _function_result(call["function"])


def _function_result(function: Mapping[str, Any]) -> str:
    output = function.get("output")
    return f"{function['name']}: {shortened(output, 120)}" if output else str(function["name"])


def _code_result(section: Mapping[str, Any]) -> str:
    outputs = section.get("outputs") or []
    images = sum(output["type"] == "image" for output in outputs)
    logs = " ".join(output["logs"] for output in outputs if output["type"] == "logs")
    made = ("one image" if images == 1 else f"{images} images") if images else ""
    return ", ".join(filter(None, [_printed(logs), made])) or "ran without output"


def _printed(logs: str) -> str:
    """What the code printed, in one line; of an error, what it says itself."""
    if not ERROR.search(logs):
        return shortened(logs, 120)
    return shortened(f"stopped by an error: {logs.strip().splitlines()[-1]}", 120)


def _search_result(section: Mapping[str, Any]) -> str:
    results = section.get("results") or []
    names = list(dict.fromkeys(str(result["file_name"]) for result in results))
    if not names:
        return "nothing was found"
    passages = "one passage" if len(results) == 1 else f"{len(results)} passages"
    return f"{passages} in {shortened(', '.join(names), 120)}"


def _tokens(step: RunStep) -> int | None:
    return step.usage.total_tokens if step.usage else None
