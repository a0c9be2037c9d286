import pytest

from lib.dashboard.function_forms.arguments import read_arguments, visible
from tests.dashboard.function_forms.hostile_arguments import HOSTILE_ARGUMENTS


@pytest.mark.parametrize("why", HOSTILE_ARGUMENTS)
def test_whatever_a_model_writes_can_be_shown(why: str) -> None:
    arguments = read_arguments(HOSTILE_ARGUMENTS[why])

    arguments.raw.encode()
    assert (arguments.value is None) == bool(arguments.problem)


def test_there_are_at_least_forty_hostile_arguments() -> None:
    assert len(HOSTILE_ARGUMENTS) >= 40


def test_signs_that_hide_or_reorder_text_are_taken_out() -> None:
    assert visible("safe\u202eevil\u0000\u200b") == "safeevil"
    assert visible("two\nlines\tand 👩‍🏫") == "two\nlines\tand 👩‍🏫"


def test_broken_json_is_kept_raw_and_said() -> None:
    arguments = read_arguments('{"title": ')

    assert arguments.value is None
    assert arguments.raw == '{"title": '
    assert arguments.problem.startswith("The model wrote arguments that are not valid JSON")


def test_no_arguments_are_an_empty_object() -> None:
    assert read_arguments("").value == {}
