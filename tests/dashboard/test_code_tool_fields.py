from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta import Assistant

from lib.dashboard.code_tool_fields import CodeToolChoice, TooManyFilesError, code_tool_values

NO_SERVER = OpenAI(base_url="http://127.0.0.1:9", api_key="none")
FUNCTION = {"type": "function", "function": {"name": "get_time"}}


def assistant(*tools: Any, file_ids: list[str] | None = None) -> Assistant:
    return Assistant.model_validate(
        {
            "id": "asst_1",
            "object": "assistant",
            "created_at": 1_000,
            "model": "gpt-4o",
            "tools": tools,
            "tool_resources": {"code_interpreter": {"file_ids": file_ids or []}},
        }
    )


def test_switching_it_on_keeps_the_other_tools() -> None:
    choice = CodeToolChoice(True, ["file-1"], [])

    values = code_tool_values(NO_SERVER, assistant(FUNCTION), choice, {"name": "Poet"})

    assert values == {
        "name": "Poet",
        "tools": [FUNCTION, {"type": "code_interpreter"}],
        "tool_resources": {"code_interpreter": {"file_ids": ["file-1"]}},
    }


def test_switching_it_off_keeps_the_files_for_later() -> None:
    before = assistant({"type": "code_interpreter"}, FUNCTION, file_ids=["file-1"])

    values = code_tool_values(NO_SERVER, before, CodeToolChoice(False, ["file-1"], []), {})

    assert values == {"tools": [FUNCTION]}


def test_what_another_tool_chose_in_the_same_form_stays() -> None:
    search = {"type": "file_search"}
    resources = {"file_search": {"vector_store_ids": ["vs_1"]}}
    chosen = {"tools": [search], "tool_resources": resources}

    values = code_tool_values(NO_SERVER, None, CodeToolChoice(True, [], []), chosen)

    assert values["tools"] == [search, {"type": "code_interpreter"}]
    assert values["tool_resources"] == {**resources, "code_interpreter": {"file_ids": []}}


def test_more_files_than_the_tool_takes_are_said_before_anything_is_uploaded() -> None:
    choice = CodeToolChoice(True, [f"file-{number}" for number in range(21)], [])

    with pytest.raises(TooManyFilesError, match="at most 20"):
        code_tool_values(NO_SERVER, None, choice, {})
