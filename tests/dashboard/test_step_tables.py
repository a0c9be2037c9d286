from datetime import UTC

import pandas as pd
from openai.types.beta.threads.runs import RunStep

from lib.dashboard.inspector_api import StepFigures
from lib.dashboard.step_tables import steps_table
from tests.dashboard.objects import code_step, message_step, tools_step, usage


def saying(step: RunStep, words: str) -> StepFigures:
    return StepFigures(id=step.id, started_ms=step.created_at * 1000, said=words)


def test_steps_are_numbered_and_tell_their_result() -> None:
    steps = [
        tools_step("get_weather", "get_time"),
        message_step(completed_at=1_004, usage=usage(5, 6)),
    ]

    table = steps_table(steps, UTC, {steps[1].id: saying(steps[1], "It is\nsunny.")})

    assert table["order"].tolist() == [1, 2]
    assert table["type"].tolist() == ["Tool calls", "Message"]
    assert table["result"].tolist() == ["get_weather, get_time", "It is sunny."]
    assert table["tokens"].iloc[1] == 11
    assert table["seconds"].iloc[1] == 3


def test_a_step_at_work_has_neither_duration_nor_tokens() -> None:
    table = steps_table([message_step("in_progress")], UTC)

    assert pd.isna(table["seconds"].iloc[0])
    assert pd.isna(table["tokens"].iloc[0])
    assert table["result"].tolist() == [""]


def test_a_failed_step_tells_its_error() -> None:
    failed = message_step(
        "failed", failed_at=1_002, last_error={"code": "server_error", "message": "It broke."}
    )

    assert steps_table([failed], UTC)["result"].tolist() == ["It broke."]


def test_an_answered_function_tells_its_answer() -> None:
    step = tools_step("get_weather", output="20\ndegrees")

    assert steps_table([step], UTC)["result"].tolist() == ["get_weather: 20 degrees"]


def test_a_step_that_waits_for_an_answer_says_so() -> None:
    waiting = tools_step("get_weather", status="in_progress")
    at_work = message_step("in_progress")

    table = steps_table([waiting, at_work], UTC)

    assert table["status"].tolist() == [["Waiting"], ["Running"]]


def test_markers_of_citations_are_left_out_of_the_result() -> None:
    step = message_step()
    figures = {step.id: saying(step, "Twenty degrees【0:0†handbook.md】.")}

    assert steps_table([step], UTC, figures)["result"].tolist() == ["Twenty degrees."]


def test_code_that_was_stopped_by_an_error_tells_the_error() -> None:
    logs = "Traceback (most recent call last):\n  1 / 0\nZeroDivisionError: division by zero\n"

    table = steps_table([code_step("1 / 0", logs)], UTC)

    assert table["result"].tolist() == ["stopped by an error: ZeroDivisionError: division by zero"]
