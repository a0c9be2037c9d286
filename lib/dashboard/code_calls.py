"""Code Interpreter's calls in a run's steps: as they stand, and as deltas make them grow."""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from openai.types.beta.threads.runs import CodeInterpreterToolCall, RunStep, RunStepDeltaEvent

State = Literal["running", "complete", "error"]

ERROR = re.compile(
    r"^(Traceback \(most recent call last\):"
    r'|  File "<cell '
    r"|\[The (cell was|session ended|code could not))",
    re.MULTILINE,
)
"""How the output of code that did not come to its end gives itself away; the API has no flag."""


@dataclass
class CodeOutput:
    """Text that the code printed, or an image that it made."""

    logs: str = ""
    image_id: str | None = None


@dataclass
class CodeCall:
    """One cell: its code and what has come of it."""

    code: str = ""
    outputs: list[CodeOutput] = field(default_factory=list)
    is_over: bool = False

    @property
    def state(self) -> State:
        if not self.is_over:
            return "running"
        failed = any(ERROR.search(output.logs) for output in self.outputs)
        return "error" if failed else "complete"


def code_calls_of(step: RunStep) -> list[CodeCall]:
    """The cells of a step, in the order in which they ran."""
    details = step.step_details
    if details.type != "tool_calls":
        return []
    return [
        code_call_of(call, step.status != "in_progress")
        for call in details.tool_calls
        if call.type == "code_interpreter"
    ]


def code_call_of(call: CodeInterpreterToolCall, is_over: bool) -> CodeCall:
    outputs = [_output(output.to_dict()) for output in call.code_interpreter.outputs]
    return CodeCall(call.code_interpreter.input, outputs, is_over)


def grow(calls: dict[int, CodeCall], event: RunStepDeltaEvent) -> None:
    """Fold a delta into the cells of its step, by their index among the step's calls."""
    details = event.delta.step_details
    if details is None or details.type != "tool_calls":
        return
    for call in details.tool_calls or []:
        if call.type != "code_interpreter":
            continue
        cell = calls.setdefault(call.index, CodeCall())
        change = call.code_interpreter
        if change is None:
            continue
        cell.code += change.input or ""
        for output in change.outputs or []:
            _grow_output(cell.outputs, output.index, output.to_dict())
        _close_earlier(calls, call.index, bool(change.outputs))


def _close_earlier(calls: dict[int, CodeCall], index: int, has_output: bool) -> None:
    """Cells run one after the other: output of one says that those before it are over."""
    if has_output:
        for earlier in range(index):
            if earlier in calls:
                calls[earlier].is_over = True


def _grow_output(outputs: list[CodeOutput], index: int, change: dict[str, Any]) -> None:
    while len(outputs) <= index:
        outputs.append(CodeOutput())
    new = _output(change)
    outputs[index].logs += new.logs
    outputs[index].image_id = new.image_id or outputs[index].image_id


def _output(output: dict[str, Any]) -> CodeOutput:
    image = output.get("image") or {}
    return CodeOutput(str(output.get("logs") or ""), image.get("file_id"))
