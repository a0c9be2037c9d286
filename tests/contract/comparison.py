"""Comparing answers with what the hosted API answered, and with the SDK's types."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

Json = dict[str, Any]

RECORDED: Json = json.loads((Path(__file__).parent / "recorded.json").read_text())
"""Objects of the hosted API (2025-03-21, the overview notebook), as the SDK dumped them."""

_PREFIXES = ("asst_", "thread_", "msg_", "run_", "step_", "call_")

_NULL_WHEN_RECORDED = ("status", "completed_at")
"""The hosted API left these two out of messages, though its published schema promises them."""


def differences(ours: BaseModel, recorded: Json) -> list[str]:
    """Where an object differs from the recorded one in keys, nulls, types or values.

    Ids are compared by prefix, times by whether they are there.
    """
    return list(_differences(json.loads(ours.model_dump_json()), recorded, ""))


def _differences(ours: Any, recorded: Any, path: str) -> Iterator[str]:
    key = path.rpartition(".")[2]
    if isinstance(recorded, dict) and isinstance(ours, dict):
        if ours.keys() != recorded.keys():
            yield f"{path}: keys differ: {ours.keys() ^ recorded.keys()}"
        for name in ours.keys() & recorded.keys():
            yield from _differences(ours[name], recorded[name], f"{path}.{name}")
    elif isinstance(recorded, list) and isinstance(ours, list):
        if len(ours) != len(recorded):
            yield f"{path}: {len(ours)} items, recorded {len(recorded)}"
        for index, (one, other) in enumerate(zip(ours, recorded, strict=False)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif key in _NULL_WHEN_RECORDED and recorded is None:
        return
    elif _kind(key, ours) != _kind(key, recorded):
        yield f"{path}: {ours!r}, recorded {recorded!r}"


def _kind(key: str, value: Any) -> Any:
    """What must be the same of a value: the value, or its kind where each answer has its own."""
    if isinstance(value, str) and value.startswith(_PREFIXES):
        return value.partition("_")[0]
    if key.endswith(("_at", "tokens")):
        return type(value)
    return value


def inexact_fields(model: BaseModel, allowed: frozenset[str] = frozenset()) -> list[str]:
    """Fields of an answer that the SDK's type does not have, and the type's that are missing."""
    return list(_inexact_fields(model, allowed, type(model).__name__))


def _inexact_fields(value: Any, allowed: frozenset[str], path: str) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _inexact_fields(item, allowed, path)
    if not isinstance(value, BaseModel):
        return
    for name in (value.model_extra or {}).keys() - allowed:
        yield f"{path}.{name} is unknown to the SDK"
    for name, field in type(value).model_fields.items():
        if name not in value.model_fields_set and field.is_required():
            yield f"{path}.{name} is missing"
        yield from _inexact_fields(getattr(value, name, None), allowed, f"{path}.{name}")
