import json
from pathlib import Path
from typing import Any

import pytest

from lib.dashboard.function_forms.definitions import (
    DefinitionError,
    formatted,
    problems_in,
    read_pasted,
)
from lib.dashboard.function_forms.ready_made import READY_MADE

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "The weather in a city",
    "parameters": SCHEMA,
}

SHAPES: dict[str, str] = {
    "the inner function": json.dumps(WEATHER),
    "the API's own tool": json.dumps({"type": "function", "function": WEATHER}),
    "the Responses shape": json.dumps({"type": "function", **WEATHER, "strict": None}),
    "a request of chat completions": json.dumps(
        {"model": "gpt-4o", "tools": [{"type": "function", "function": WEATHER}]}
    ),
    "the old list of functions": json.dumps({"functions": [WEATHER]}),
    "a list of tools": json.dumps([{"type": "function", "function": WEATHER}]),
    "input_schema": json.dumps(
        {"name": "get_weather", "description": WEATHER["description"], "input_schema": SCHEMA}
    ),
    "a Python dict with single quotes": repr({**WEATHER, "strict": None}),
    "trailing commas and comments": """{
        // what it is called
        name: 'get_weather',
        description: 'The weather in a city',
        parameters: {type: 'object', properties: {city: {type: 'string'},}, required: ['city',]},
    }""",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_common_shape_is_understood(shape: str) -> None:
    functions = read_pasted(SHAPES[shape])

    assert [{k: v for k, v in one.items() if k != "strict"} for one in functions] == [WEATHER]


def test_a_bare_schema_becomes_a_function_named_by_its_title() -> None:
    titled = {"title": "Book a room!", **SCHEMA}

    assert read_pasted(json.dumps(titled)) == [{"name": "Book_a_room", "parameters": SCHEMA}]
    assert read_pasted(json.dumps(SCHEMA)) == [{"name": "my_function", "parameters": SCHEMA}]


def test_a_python_function_becomes_a_definition() -> None:
    source = '''
from typing import Literal

def book_room(room: str, seats: int = 4, day: "date | None" = None,
              kind: Literal["small", "large"] = "small") -> bool:
    """Books a meeting room.

    Args:
        room: Name of the room.
        seats: How many seats are needed.
    """
    return True
'''

    [function] = read_pasted(source)

    assert function == {
        "name": "book_room",
        "description": "Books a meeting room.",
        "parameters": {
            "type": "object",
            "properties": {
                "room": {"type": "string", "description": "Name of the room."},
                "seats": {
                    "type": "integer",
                    "description": "How many seats are needed.",
                    "default": 4,
                },
                "day": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
                "kind": {"enum": ["small", "large"], "default": "small"},
            },
            "required": ["room"],
        },
        "result_schema": {"type": "boolean"},
    }


def test_pasted_python_is_never_run(tmp_path: Path) -> None:
    witness = tmp_path / "ran"

    read_pasted(f"open({str(witness)!r}, 'w')\ndef f(a: int = __import__('os').getpid()): pass")

    assert not witness.exists()


UNREADABLE = {
    "nothing": ("  ", "Paste a function's definition first."),
    "prose": ("please add a function", "Line 1: This cannot be read"),
    "a broken object": ('{"name": "f",\n "parameters": {\n', "Line 3: This cannot be read"),
    "broken Python": ("def f(:\n  pass", "Line 1: This is not valid Python"),
    "Python without a function": ("import os", "There is no public function"),
    "any number of arguments": ("def f(*args): pass", "Line 1: The function f takes any number"),
    "a number": ("7", "There is no function in this text."),
    "an object of something else": ('{"color": "red"}', "This is neither a function nor a schema"),
}


@pytest.mark.parametrize("why", UNREADABLE)
def test_what_cannot_be_read_is_said_in_a_sentence(why: str) -> None:
    text, sentence = UNREADABLE[why]

    with pytest.raises(DefinitionError) as caught:
        read_pasted(text)

    assert str(caught.value).startswith(sentence)


def test_an_error_names_the_line() -> None:
    with pytest.raises(DefinitionError) as caught:
        read_pasted('{"name": "f",\n "description": oops oops}')

    assert caught.value.problem.line == 2


@pytest.mark.parametrize("name", READY_MADE)
def test_every_ready_function_is_valid(name: str) -> None:
    assert problems_in(formatted(READY_MADE[name])) == []


def lines_of(definition: str) -> list[int | None]:
    return [problem.line for problem in problems_in(definition)]


def test_problems_point_at_their_line() -> None:
    assert lines_of('{"name": "f",\n"description": "x"\n"parameters": {}}') == [3]
    assert lines_of('{\n"name": "not a name"\n}') == [2]
    assert lines_of('{"name": "f",\n"colour": 1}') == [2]
    assert lines_of('{"name": "f",\n"parameters": {\n\t"type": "string"}}') == [3]
    assert lines_of(
        '{"name": "f",\n"parameters": {"type": "object",\n"properties": {\n'
        '"a": {"type": "sting"},\n"b": {\n"required": true}}}}'
    ) == [4, 6]


def test_a_definition_without_a_name_is_refused() -> None:
    assert [str(problem) for problem in problems_in("{}")] == ["Line 1: A function needs a `name`."]
    assert problems_in("[]")[0].message == "A definition is a JSON object."


def test_formatting_puts_the_keys_in_order() -> None:
    text = formatted({"parameters": {}, "name": "f"})

    assert list(json.loads(text)) == ["name", "parameters"]
