from typing import Any, get_args

import pytest
from openai.types.beta.threads import RunStatus

from lib.dashboard.run_words import STATUS_WORDS, cure_for, problem_of, words_for
from tests.dashboard.objects import run


def test_every_status_of_the_api_has_words() -> None:
    assert set(get_args(RunStatus)) == set(STATUS_WORDS)


def test_a_status_from_the_future_is_shown_as_it_is() -> None:
    assert words_for("dreaming").label == "dreaming"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"status": "completed"}, ""),
        ({"status": "in_progress"}, ""),
        ({"status": "expired"}, "The run expired before it could finish."),
        ({"status": "cancelled"}, "You stopped this answer."),
        (
            {
                "status": "failed",
                "last_error": {"code": "server_error", "message": "the endpoint is away"},
            },
            "The run failed: the endpoint is away.",
        ),
        ({"status": "failed"}, "The run failed: no reason was given."),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_completion_tokens"}},
            "The answer was cut short because the run reached the limit of tokens for its answer.",
        ),
        (
            {"status": "incomplete"},
            "The answer was cut short because the run reached a limit that the run was given.",
        ),
    ],
)
def test_a_problem_is_one_sentence(fields: dict[str, Any], problem: str) -> None:
    assert problem_of(run(**fields)) == problem


@pytest.mark.parametrize("status", ["failed", "incomplete", "expired", "cancelled"])
def test_every_bad_end_comes_with_a_way_on(status: str) -> None:
    assert cure_for(run(status)).endswith(".")


def test_a_rate_limit_asks_for_patience() -> None:
    limited = run("failed", last_error={"code": "rate_limit_exceeded", "message": "slow down"})

    assert "wait a moment" in cure_for(limited)


def test_an_error_that_says_itself_what_to_do_needs_no_more_advice() -> None:
    error = {"code": "server_error", "message": "The disk is full. Free some space."}

    assert cure_for(run("failed", last_error=error)) == ""
