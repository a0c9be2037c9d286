"""What a run did, in one plain sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

from openai.types.beta.threads.runs import RunStep

from lib.dashboard.formatting import money, seconds, times
from lib.dashboard.step_tables import STEP_TYPES
from lib.dashboard.studio_api import ListedRun

_BY_SERVER = "server"
_BY_PROGRAM = "program"
_ENDINGS = {
    "completed": "answered in {time}",
    "incomplete": "was cut short after {time}",
    "failed": "failed after {time}",
    "cancelled": "was stopped after {time}",
    "expired": "expired after {time}",
    "queued": "is waiting for its turn",
    "in_progress": "is still at work",
    "requires_action": "is waiting for you",
    "cancelling": "is being stopped",
}


def headline(run: ListedRun, steps: Sequence[RunStep]) -> str:
    """`Searched 2 files, ran Python twice, asked you one question, answered in 14 s for $0.003.`"""
    parts = [*_deeds([call for step in steps for call in _calls(step)]), _ending(run)]
    sentence = ", ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


def place_of_failure(steps: Sequence[RunStep]) -> str:
    """Where a failed run failed, in one sentence."""
    if not steps:
        return "It failed before its first step, when the model was called."
    number, last = len(steps), steps[-1]
    kind = STEP_TYPES.get(last.type, last.type).lower()
    if last.status == "failed":
        return f"It failed in step {number} ({kind})."
    return f"It failed after step {number} ({kind}), when the model was called again."


def _deeds(calls: Sequence[Mapping[str, Any]]) -> list[str]:
    searches = [call for call in calls if call["type"] == "file_search"]
    code = sum(call["type"] == "code_interpreter" for call in calls)
    functions = [call for call in calls if call["type"] == "function"]
    automatic = [call for call in functions if _answered_by(call) == _BY_SERVER]
    by_program = [call for call in functions if _answered_by(call) == _BY_PROGRAM]
    asked = len(functions) - len(automatic) - len(by_program)
    deeds = [_searched(searches)] if searches else []
    if code:
        deeds.append(f"ran Python {times(code)}")
    if automatic:
        deeds.append(_ran(automatic))
    if by_program:
        deeds.append(f"asked a program for {_names(by_program)}")
    if asked:
        deeds.append("asked you one question" if asked == 1 else f"asked you {asked} questions")
    return deeds


def _searched(searches: Sequence[Mapping[str, Any]]) -> str:
    files = {
        result["file_id"]
        for call in searches
        for result in (call["file_search"] or {}).get("results") or []
    }
    if not files:
        return f"searched your files {times(len(searches))}"
    return "searched one file" if len(files) == 1 else f"searched {len(files)} files"


def _ran(calls: Sequence[Mapping[str, Any]]) -> str:
    return f"ran {_names(calls)} {times(len(calls))}"


def _names(calls: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(sorted({call["function"]["name"] for call in calls}))


def _answered_by(call: Mapping[str, Any]) -> str | None:
    """Who gave the output, as the call keeps it; a program need not say so. None before it."""
    if call["function"].get("output") is None:
        return None
    return str((call.get("answered") or {}).get("by") or _BY_PROGRAM)


def _ending(run: ListedRun) -> str:
    ending = _ENDINGS.get(run.status, run.status)
    if run.duration_ms is None:
        return ending.replace(" after {time}", "").replace(" in {time}", "")
    waited = run.waited_ms or 0
    # An answer took as long as the work on it; what came to nothing took all that time.
    is_answer = run.status == "completed"
    said = ending.format(time=seconds(run.duration_ms - (waited if is_answer else 0)))
    if run.cost:
        said += f" for {money(run.cost)}"
    if waited and is_answer:
        said += f" (and waited {seconds(waited)} for an answer)"
    elif waited:
        said += f" ({seconds(waited)} of it waiting for an answer)"
    return said


def _calls(step: RunStep) -> list[dict[str, Any]]:
    details = step.step_details
    if details.type != "tool_calls":
        return []
    return [call.to_dict() for call in details.tool_calls]
