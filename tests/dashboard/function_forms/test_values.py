from typing import Any

import pytest

from lib.dashboard.function_forms.fields import field_of
from lib.dashboard.function_forms.values import MISSING, Reading, entries_of, read_draft

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 10},
        "born": {"type": "string", "format": "date"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "address": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "zip": {"type": "string"}},
            "required": ["city"],
        },
    },
    "required": ["name"],
}


def read(schema: dict[str, Any], draft: dict[str, Any], required: bool = True) -> Reading:
    return read_draft(field_of(schema, "value", "answer", required), draft)


def test_a_whole_form_becomes_the_object_that_its_schema_describes() -> None:
    reading = read(
        PERSON,
        {
            "answer.name": "Ada",
            "answer.born": "1815-12-10",
            "answer.tags": 2,
            "answer.tags.0": "poet",
            "answer.tags.1": "engineer",
            "answer.address.city": "London",
        },
    )

    assert reading == Reading(
        {
            "name": "Ada",
            "born": "1815-12-10",
            "tags": ["poet", "engineer"],
            "address": {"city": "London"},
        },
        {},
    )


def test_what_may_be_left_out_is_left_out() -> None:
    assert read(PERSON, {"answer.name": "Ada"}) == Reading({"name": "Ada"}, {})


def test_an_optional_group_that_was_begun_must_be_finished() -> None:
    reading = read(PERSON, {"answer.name": "Ada", "answer.address.zip": "E1"})

    assert reading.problems == {"answer.address.city": "Fill in City."}


PROBLEMS: list[tuple[dict[str, Any], Any, str]] = [
    ({"type": "string"}, "", "Fill in Value."),
    ({"type": "string", "maxLength": 3}, "long", "Value may have at most 3 characters."),
    ({"type": "string", "pattern": "^a"}, "b", "Value must match the pattern ^a."),
    ({"type": "integer", "minimum": 3}, 2, "Value must be at least 3."),
    ({"type": "number", "maximum": 3}, 3.5, "Value must be at most 3."),
    ({"type": "boolean"}, None, "Choose an answer for Value."),
    ({"enum": ["a"]}, 7, "Value has other options now; choose again."),
    ({"type": "string", "format": "date"}, "soon", "Value cannot be read; enter it again."),
    ({"type": "string", "format": "file"}, [], "Add a file for Value."),
    ({}, "{", "Value is not valid JSON: Expecting property name enclosed in double quotes"),
    ({"type": "array", "items": {"enum": [1, 2]}, "minItems": 2}, [0], "Choose at least 2 for"),
    ({"type": "string", "format": "x", "minLength": 3}, "ab", "This does not fit: 'ab' is too"),
    ({"type": "integer", "multipleOf": 5}, 7, "This does not fit: 7 is not a multiple of 5."),
]


@pytest.mark.parametrize(("schema", "given", "problem"), PROBLEMS)
def test_what_is_wrong_is_said_at_its_field(
    schema: dict[str, Any], given: Any, problem: str
) -> None:
    reading = read(schema, {"answer": given})

    assert reading.problems["answer"].startswith(problem)


VALUES: list[tuple[dict[str, Any], Any, Any]] = [
    ({"type": "number"}, 3.0, 3),
    ({"type": "number"}, 0.5, 0.5),
    ({"type": "boolean"}, False, False),
    ({"enum": ["a", None, 3]}, 2, 3),
    ({"type": "array", "items": {"enum": ["a", "b", "c"]}}, [2, 0], ["c", "a"]),
    ({"type": "string", "format": "file"}, [{"id": "file-1", "name": "a.txt"}], "file-1"),
    ({}, '{"a": [1]}', {"a": [1]}),
    ({"type": ["string", "null"]}, "", None),
]


@pytest.mark.parametrize(("schema", "given", "value"), VALUES)
def test_each_field_becomes_its_json_value(schema: dict[str, Any], given: Any, value: Any) -> None:
    assert read(schema, {"answer": given}) == Reading(value, {})


def test_an_optional_field_that_is_empty_is_missing() -> None:
    assert read({"type": "integer"}, {}, required=False) == Reading(MISSING, {})


def test_a_list_begins_with_as_many_entries_as_it_needs() -> None:
    field = field_of({"type": "array", "items": PERSON, "minItems": 2}, "people", "answer", True)

    entries = entries_of(field, {})

    assert [entry.fields[0].id for entry in entries] == ["answer.0.name", "answer.1.name"]


def test_a_draft_of_nonsense_raises_nothing() -> None:
    nonsense: list[Any] = [[], {}, "x", -1, 10**30, None, [None], {"a": 1}, True]
    for given in nonsense:
        for schema in ({"type": "integer"}, {"enum": [1]}, {"type": "string", "format": "file"}):
            read(schema, {"answer": given})
