from typing import Any

import pytest
from openai.types.beta.threads.runs import RunStep

from lib.dashboard.run_headline import headline
from tests.dashboard.objects import message_step, run


def step(*calls: dict[str, Any]) -> RunStep:
    details = {"type": "tool_calls", "tool_calls": list(calls)}
    whole = {**message_step().to_dict(), "type": "tool_calls", "step_details": details}
    return RunStep.model_validate(whole)


def code() -> dict[str, Any]:
    return {
        "id": "call_c",
        "type": "code_interpreter",
        "code_interpreter": {"input": "1", "outputs": []},
    }


def search(*files: str) -> dict[str, Any]:
    results = [{"file_id": file, "file_name": file, "score": 0.5} for file in files]
    return {"id": "call_s", "type": "file_search", "file_search": {"results": results}}


def function(**more: Any) -> dict[str, Any]:
    called = {"name": "display_quiz", "arguments": "{}", "output": "4"}
    answered = {"by": "dashboard", "at": 1_000}
    return {"id": "call_f", "type": "function", "function": called, "answered": answered, **more}


def test_all_that_a_run_did_is_one_sentence() -> None:
    done = run(duration_ms=14_500, waited_ms=0, cost=0.0031)
    steps = [step(search("file-1", "file-2"), code()), step(code(), function()), message_step()]

    assert headline(done, steps) == (
        "Searched 2 files, ran Python twice, asked you one question, answered in 14 s for $0.0031."
    )


def test_a_function_that_ran_by_itself_asked_nobody() -> None:
    steps = [step(function(answered={"by": "server", "at": 1_000}))]

    assert headline(run(duration_ms=900), steps) == ("Ran display_quiz once, answered in 0.9 s.")


def test_a_function_that_a_program_answered_asked_no_person() -> None:
    steps = [step(function(answered=None))]

    assert headline(run(duration_ms=900), steps) == (
        "Asked a program for display_quiz, answered in 0.9 s."
    )


def test_the_wait_for_people_is_told_apart() -> None:
    waited = run(duration_ms=65_000, waited_ms=60_000)

    assert headline(waited, [step(function())]) == (
        "Asked you one question, answered in 5.0 s (and waited 1 min 0 s for an answer)."
    )


def test_a_run_that_came_to_nothing_tells_its_wait_as_part_of_its_time() -> None:
    unanswered = function(answered=None)
    unanswered["function"]["output"] = None
    expired = run("expired", duration_ms=65_000, waited_ms=60_000)

    assert headline(expired, [step(unanswered)]) == (
        "Asked you one question, expired after 1 min 5 s (1 min 0 s of it waiting for an answer)."
    )


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("failed", "Failed after 2.0 s."),
        ("cancelled", "Was stopped after 2.0 s."),
        ("expired", "Expired after 2.0 s."),
        ("incomplete", "Was cut short after 2.0 s."),
    ],
)
def test_every_ending_has_its_words(status: str, said: str) -> None:
    assert headline(run(status, duration_ms=2_000), []) == said


def test_a_run_at_work_says_so() -> None:
    assert headline(run("in_progress"), []) == "Is still at work."
