"""The arguments of a function call as models really write them: mostly a JSON object."""

import json
import unicodedata
from dataclasses import dataclass
from typing import Any

_DEEPEST = 30
"""Levels of nesting that a page can still show."""
_UNSEEN = {"Cc", "Cf", "Cs"}
_SEEN_CONTROLS = "\n\t‌‍"
"""Line breaks, tabs, and the joiners that emoji and some scripts are made with."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a call brought. `value` is None when it cannot be read; `problem` then says why."""

    raw: str
    value: dict[str, Any] | None
    problem: str = ""


def read_arguments(raw: str) -> Arguments:
    """Read a call's arguments. Whatever the model wrote, this gives something to show."""
    raw = visible(raw)
    if not raw.strip():
        return Arguments(raw, {})
    try:
        value = json.loads(raw, parse_constant=str, parse_float=_number)
    except RecursionError:
        return Arguments(raw, None, "The arguments are nested too deeply to be shown as a form.")
    except ValueError as error:
        return Arguments(raw, None, f"The model wrote arguments that are not valid JSON: {error}.")
    if _is_deeper_than(value, _DEEPEST):
        return Arguments(raw, None, "The arguments are nested too deeply to be shown as a form.")
    if not isinstance(value, dict):
        return Arguments(raw, None, "The model wrote arguments that are not a JSON object.")
    return Arguments(raw, _visible_value(value))


def visible(text: str) -> str:
    """The text without the control characters that hide, reorder or break what is shown."""
    return "".join(
        sign for sign in text if sign in _SEEN_CONTROLS or unicodedata.category(sign) not in _UNSEEN
    )


def pretty(value: Any) -> str:
    """JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _number(text: str) -> float | str:
    number = float(text)
    return text if number in (float("inf"), float("-inf")) else number


def _visible_value(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list):
        return [_visible_value(item) for item in value]
    if isinstance(value, dict):
        return {visible(key): _visible_value(item) for key, item in value.items()}
    return value


def _is_deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [item for one in level for item in _children(one)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
