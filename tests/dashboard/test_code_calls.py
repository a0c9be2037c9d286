from typing import Any

import pytest
from openai.types.beta.threads.runs import RunStepDeltaEvent

from lib.dashboard.code_calls import CodeCall, CodeOutput, code_calls_of, grow
from lib.dashboard.run_progress import RunProgress
from tests.dashboard.objects import code_step


def delta(index: int, **change: Any) -> RunStepDeltaEvent:
    call = {"index": index, "type": "code_interpreter", "code_interpreter": change}
    return RunStepDeltaEvent.model_validate(
        {
            "id": "step_1",
            "object": "thread.run.step.delta",
            "delta": {"step_details": {"type": "tool_calls", "tool_calls": [call]}},
        }
    )


def test_deltas_grow_into_the_code_and_its_outputs() -> None:
    calls: dict[int, CodeCall] = {}

    grow(calls, delta(0, input="print("))
    grow(calls, delta(0, input="1)"))
    grow(calls, delta(0, outputs=[{"index": 0, "type": "logs", "logs": "1"}]))
    grow(calls, delta(0, outputs=[{"index": 0, "type": "logs", "logs": "\n"}]))
    grow(calls, delta(0, outputs=[{"index": 1, "type": "image", "image": {"file_id": "file-1"}}]))

    expected = [CodeOutput("1\n"), CodeOutput(image_id="file-1")]
    assert calls == {0: CodeCall("print(1)", expected)}


def test_output_of_the_second_cell_says_that_the_first_is_over() -> None:
    calls: dict[int, CodeCall] = {}
    grow(calls, delta(0, input="a = 1"))
    grow(calls, delta(1, input="print(a)"))

    grow(calls, delta(1, outputs=[{"index": 0, "type": "logs", "logs": "1\n"}]))

    assert [call.state for call in calls.values()] == ["complete", "running"]


@pytest.mark.parametrize(
    ("logs", "state", "why"),
    [
        ("4181\n", "complete", "it printed"),
        ("", "complete", "it printed nothing"),
        ("Traceback (most recent call last):\n  File …\nKeyError: 1\n", "error", "it raised"),
        ('1\n  File "<cell 1>", line 1\nSyntaxError: no\n', "error", "it is no Python"),
        ("[The cell was stopped after 60 seconds.]\n", "error", "it took too long"),
        ("[The session ended: memory.]\n", "error", "it was killed"),
        ("[The code could not be run: no sandbox]\n", "error", "it never ran"),
        ("The word Traceback (most recent call last): in a line\n", "complete", "it says so only"),
    ],
)
def test_the_output_tells_whether_the_code_came_to_its_end(logs: str, state: str, why: str) -> None:
    (call,) = code_calls_of(code_step("code", logs))

    assert call.state == state, why


def test_a_whole_step_takes_the_place_of_its_deltas() -> None:
    progress = RunProgress()
    grow(progress.cells.setdefault("step_1", {}), delta(0, input="pri"))

    progress._take_step(code_step("print(1)", "1\n"))

    assert progress.cells["step_1"][0].code == "print(1)"
