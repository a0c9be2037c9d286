"""Arguments as a model might write them, to preview a function's form without a model."""

import json
from collections.abc import Mapping
from typing import Any

from lib.dashboard.function_forms.call_form import CallForm, call_form
from lib.dashboard.function_forms.fields import Field, field_of
from lib.dashboard.function_forms.ready_made import EXAMPLE_ARGUMENTS

_SAMPLES: dict[str, Any] = {
    "number": 1.5,
    "integer": 3,
    "boolean": True,
    "date": "2026-01-31",
    "datetime": "2026-01-31T12:00:00",
    "time": "12:00:00",
    "file": "file-123",
    "files": ["file-123"],
    "json": {},
}


def preview_form(definition: Mapping[str, Any]) -> CallForm:
    """The form for a call of this function with arguments made up for it."""
    name = str(definition.get("name") or "")
    arguments = EXAMPLE_ARGUMENTS.get(name) or sample_arguments(definition.get("parameters"))
    call = {
        "id": "preview",
        "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)},
    }
    return call_form(call, 0, [{"type": "function", "function": dict(definition)}])


def sample_arguments(parameters: Any) -> dict[str, Any]:
    """Arguments that fit the schema of a function's parameters."""
    sample = _sample(field_of(parameters, "", "sample", required=True))
    return sample if isinstance(sample, dict) else {}


def _sample(field: Field) -> Any:
    match field.kind:
        case "group":
            return {inside.name: _sample(inside) for inside in field.fields}
        case "list":
            assert field.item is not None
            return [_sample(field.item)]
        case "choice":
            return field.options[0]
        case "choices":
            return list(field.options[:1])
    return _SAMPLES.get(field.kind, f"<{field.label.lower()}>")
