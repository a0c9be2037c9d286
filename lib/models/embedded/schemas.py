"""JSON schemas in the form that llama.cpp's llguidance enforces well."""

from typing import Any

from lib.models.provider import Json

ANY_OBJECT: Json = {"type": "object"}
_GUIDANCE = {
    # One line of JSON: a small model otherwise spends its tokens on blanks, even without end.
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    # Keywords that cannot be enforced are let go instead of the whole schema.
    "lenient": True,
}
_SCHEMA_MAPS = ("properties", "$defs", "definitions", "patternProperties")
_SCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMAS = ("items", "additionalProperties")


def arguments_schema(parameters: Json) -> Json:
    """A tool's schema; a tool that names no parameters is called with an empty object."""
    if set(parameters) <= {"type", "additionalProperties", "required", "description", "$schema"}:
        parameters = {"type": "object", "properties": {}}
    return guided(closed(parameters))


def answer_schema(response_format: str | Json | None) -> Json | None:
    """The schema that `response_format` asks the answer to fit; None for free text."""
    match response_format:
        case {"type": "json_schema", "json_schema": {"schema": {**schema}}}:
            return guided(closed(schema))
        case {"type": "json_object" | "json_schema"}:
            return guided(ANY_OBJECT)
        case _:
            return None


def guided(schema: Json) -> Json:
    return schema | {"x-guidance": _GUIDANCE}


def closed(schema: Any) -> Any:
    """The schema without room for keys it does not name, which a small model would fill."""
    if not isinstance(schema, dict):
        return schema
    result = dict(schema)
    for key in _SCHEMA_MAPS:
        if isinstance(schema.get(key), dict):
            result[key] = {name: closed(value) for name, value in schema[key].items()}
    for key in _SCHEMA_LISTS:
        if isinstance(schema.get(key), list):
            result[key] = [closed(value) for value in schema[key]]
    for key in _SCHEMAS:
        if key in schema:
            result[key] = closed(schema[key])
    if "properties" in schema and "allOf" not in schema:
        result.setdefault("additionalProperties", False)
    return result
