import pytest

from lib.dashboard.function_forms.fields import Field, Kind, field_of, label_of

KINDS: list[tuple[dict[str, object], Kind]] = [
    ({"type": "string"}, "text"),
    ({"type": "string", "maxLength": 5000}, "long_text"),
    ({"type": "string", "format": "date"}, "date"),
    ({"type": "string", "format": "date-time"}, "datetime"),
    ({"type": "string", "format": "time"}, "time"),
    ({"type": "string", "format": "file"}, "file"),
    ({"type": "number"}, "number"),
    ({"type": "integer"}, "integer"),
    ({"type": "boolean"}, "boolean"),
    ({"enum": ["a", "b"]}, "choice"),
    ({"const": 7}, "choice"),
    ({"type": ["string", "null"]}, "text"),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer"),
    ({"type": "array", "items": {"enum": ["a", "b"]}}, "choices"),
    ({"type": "array", "items": {"type": "string", "format": "file"}}, "files"),
    ({"type": "array", "items": {"type": "string"}}, "list"),
    ({"type": "object", "properties": {"a": {"type": "string"}}}, "group"),
    ({"$ref": "#/$defs/day", "$defs": {"day": {"type": "string", "format": "date"}}}, "date"),
    ({}, "json"),
    ({"type": "object"}, "json"),
    ({"type": "array"}, "json"),
    ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "json"),
    ({"type": "object", "properties": "oops"}, "json"),
    ({"enum": "oops"}, "json"),
    ({"$ref": "#/nowhere"}, "json"),
]


def field(schema: object) -> Field:
    return field_of(schema, "value", "answer", required=True)


@pytest.mark.parametrize(("schema", "kind"), KINDS)
def test_each_schema_gets_the_field_that_fits(schema: dict[str, object], kind: Kind) -> None:
    assert field(schema).kind == kind


@pytest.mark.parametrize("schema", [None, 7, "text", [], True])
def test_what_is_no_schema_is_answered_as_json(schema: object) -> None:
    assert field(schema).kind == "json"


def test_a_schema_that_contains_itself_ends_in_a_json_field() -> None:
    tree = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "child": {"$ref": "#"}},
    }

    inside = field(tree)
    while inside.kind == "group":
        inside = inside.fields[1]

    assert inside.kind == "json"


def test_fields_say_what_the_schema_says() -> None:
    schema = {
        "type": "object",
        "properties": {
            "first_name": {"type": "string", "description": "As in the passport"},
            "age": {"type": "integer", "minimum": 0, "maximum": 150, "title": "Age in years"},
        },
        "required": ["age"],
    }

    name, age = field(schema).fields

    assert (name.label, name.help, name.required) == ("First name", "As in the passport", False)
    assert (age.label, age.minimum, age.maximum, age.required) == ("Age in years", 0, 150, True)


def test_names_become_labels() -> None:
    assert label_of("question_text") == "Question text"
    assert label_of("") == ""
