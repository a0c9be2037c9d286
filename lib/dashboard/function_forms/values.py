"""What was typed into fields: a draft, the problems in it, and the JSON value it stands for.

A draft is a flat mapping from field ids to JSON values: text for text, dates and JSON fields;
numbers; true and false; positions of options; lists of uploaded files `{"id", "name"}`; and for
a list the number of its entries.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from lib.dashboard.function_forms.fields import Field, numbered

Draft = Mapping[str, Any]

MOST_ENTRIES = 100


class _Missing:
    """Nothing was given, which is not the same as null."""


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Reading:
    """A draft as read: the value, and what keeps it from being sent, by field id."""

    value: Any
    problems: dict[str, str]


def read_draft(field: Field, draft: Draft) -> Reading:
    """The value that the draft gives this field; MISSING when it is left out."""
    problems: dict[str, str] = {}
    value = _read(field, draft, problems)
    if not problems and value is not MISSING and field.schema:
        problems.update(_schema_problems(field, value))
    return Reading(value, problems)


def entries_of(field: Field, draft: Draft) -> list[Field]:
    """The fields of a list's entries."""
    assert field.item is not None
    count = draft.get(field.id)
    count = field.fewest if not isinstance(count, int) else count
    return [numbered(field.item, field.id, n) for n in range(min(max(count, 0), MOST_ENTRIES))]


def _read(field: Field, draft: Draft, problems: dict[str, str]) -> Any:
    match field.kind:
        case "group":
            return _read_group(field, draft, problems)
        case "list":
            return _read_list(field, draft, problems)
    value = _value(field, draft.get(field.id), problems)
    if value is MISSING and field.required and field.id not in problems:
        if field.is_nullable:
            return None
        problems[field.id] = _ask_for(field)
    return value


def _read_group(field: Field, draft: Draft, problems: dict[str, str]) -> Any:
    if not field.required and not _is_touched(field, draft):
        return MISSING
    values = {inside.name: _read(inside, draft, problems) for inside in field.fields}
    return {name: value for name, value in values.items() if value is not MISSING}


def _read_list(field: Field, draft: Draft, problems: dict[str, str]) -> Any:
    if not field.required and not _is_touched(field, draft):
        return MISSING
    entries = [_read(entry, draft, problems) for entry in entries_of(field, draft)]
    if len(entries) < field.fewest:
        problems[field.id] = f"Add at least {field.fewest} to {field.label}."
    return [entry for entry in entries if entry is not MISSING]


def _is_touched(field: Field, draft: Draft) -> bool:
    return any(
        (key == field.id or key.startswith(f"{field.id}.")) and value not in (None, "", [], 0)
        for key, value in draft.items()
    )


def _value(field: Field, given: Any, problems: dict[str, str]) -> Any:
    """What one field stands for. A draft may hold anything: another browser may have made it."""
    if given is None or given == "" or given == []:
        return MISSING
    try:
        return _READERS[field.kind](field, given)
    except _ProblemError as problem:
        problems[field.id] = str(problem)
    except (TypeError, ValueError, IndexError, KeyError, RecursionError, OverflowError):
        problems[field.id] = f"{field.label} cannot be read; enter it again."
    return MISSING


class _ProblemError(Exception):
    """What is wrong with a value, in one sentence."""


def _text(field: Field, given: Any) -> str:
    text = str(given)
    if field.max_length is not None and len(text) > field.max_length:
        raise _ProblemError(f"{field.label} may have at most {field.max_length} characters.")
    if field.pattern and not _matches(field.pattern, text):
        raise _ProblemError(f"{field.label} must match the pattern {field.pattern}.")
    return text


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True


def _number(field: Field, given: Any) -> int | float:
    number = int(given) if field.kind == "integer" else float(given)
    if field.minimum is not None and number < field.minimum:
        raise _ProblemError(f"{field.label} must be at least {field.minimum:g}.")
    if field.maximum is not None and number > field.maximum:
        raise _ProblemError(f"{field.label} must be at most {field.maximum:g}.")
    is_whole = isinstance(number, float) and number.is_integer() and abs(number) < 2**53
    return int(number) if is_whole else number


def _boolean(_field: Field, given: Any) -> bool:
    return bool(given)


def _date(_field: Field, given: Any) -> str:
    return date.fromisoformat(given).isoformat()


def _datetime(_field: Field, given: Any) -> str:
    return datetime.fromisoformat(given).astimezone().isoformat()


def _time(_field: Field, given: Any) -> str:
    return time.fromisoformat(given).isoformat()


def _choice(field: Field, given: Any) -> Any:
    return field.options[_position(field, given)]


def _choices(field: Field, given: Any) -> list[Any]:
    chosen = [field.options[_position(field, one)] for one in given]
    if len(chosen) < field.fewest:
        raise _ProblemError(f"Choose at least {field.fewest} for {field.label}.")
    if field.most is not None and len(chosen) > field.most:
        raise _ProblemError(f"Choose at most {field.most} for {field.label}.")
    return chosen


def _position(field: Field, given: Any) -> int:
    if not isinstance(given, int) or not 0 <= given < len(field.options):
        raise _ProblemError(f"{field.label} has other options now; choose again.")
    return given


def _file(_field: Field, given: Any) -> str:
    return str(given[0]["id"])


def _files(_field: Field, given: Any) -> list[str]:
    return [str(file["id"]) for file in given]


def _json(field: Field, given: Any) -> Any:
    try:
        return json.loads(given)
    except json.JSONDecodeError as error:
        raise _ProblemError(
            f"{field.label} is not valid JSON: {error.msg} in line {error.lineno}."
        ) from None


_READERS = {
    "text": _text,
    "long_text": _text,
    "output": _text,
    "number": _number,
    "integer": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "time": _time,
    "choice": _choice,
    "choices": _choices,
    "file": _file,
    "files": _files,
    "json": _json,
}


def _ask_for(field: Field) -> str:
    match field.kind:
        case "choice" | "choices" | "boolean":
            return f"Choose an answer for {field.label}."
        case "file" | "files":
            return f"Add a file for {field.label}."
    return f"Fill in {field.label}."


def _schema_problems(field: Field, value: Any) -> dict[str, str]:
    """What the schema says of the whole value beyond what each field has checked."""
    try:
        # An empty registry: a schema must never make the server fetch an address.
        validator = Draft202012Validator(field.schema, registry=Registry())
        for error in validator.iter_errors(value):
            where = ".".join([field.id, *map(str, error.absolute_path)])
            return {where: f"This does not fit: {error.message[:300]}."}
    except (SchemaError, Unresolvable, RecursionError, re.error, TypeError, ValueError):
        return {}
    return {}
