"""Attribute filters: the API's comparison and compound forms."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

AttributeValue = str | float | bool
Attributes = Mapping[str, AttributeValue]

DEEPEST = 20
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_COMPARISONS = ("eq", "ne", *_ORDER, "in", "nin")


class FilterError(ValueError):
    """A filter that is not of the published form. The text is a sentence for the caller."""


@dataclass(frozen=True)
class Comparison:
    """One attribute against one value, or for `in` and `nin` against several."""

    type: str
    key: str
    value: AttributeValue | Sequence[AttributeValue]

    def matches(self, attributes: Attributes) -> bool:
        """A file without the attribute matches `ne` and `nin` alone."""
        present = attributes.get(self.key)
        if self.type in ("ne", "nin"):
            return not self._is_among(present)
        if present is None:
            return False
        if self.type in ("eq", "in"):
            return self._is_among(present)
        return _comparable(present, self.value) and _ORDER[self.type](present, self.value)

    def _is_among(self, present: AttributeValue | None) -> bool:
        several = self.type in ("in", "nin")
        values: Any = self.value if several else [self.value]
        return any(_same(present, value) for value in values)


@dataclass(frozen=True)
class Compound:
    """All (`and`) or any (`or`) of several filters."""

    type: str
    filters: "tuple[Filter, ...]"

    def matches(self, attributes: Attributes) -> bool:
        each = (inner.matches(attributes) for inner in self.filters)
        return all(each) if self.type == "and" else any(each)


Filter = Comparison | Compound


def parse_filter(given: Mapping[str, Any], depth: int = 0) -> Filter:
    """The filter in a request. Raises FilterError."""
    if not isinstance(given, Mapping):
        raise FilterError("A filter must be an object with a type.")
    if depth > DEEPEST:
        raise FilterError(f"Filters can be nested {DEEPEST} deep at most.")
    kind = given.get("type")
    if kind in ("and", "or"):
        return Compound(str(kind), _inner(given.get("filters"), depth))
    if kind not in _COMPARISONS:
        allowed = ", ".join((*_COMPARISONS, "and", "or"))
        raise FilterError(f"A filter's type must be one of {allowed}; got {kind!r}.")
    return _comparison(str(kind), given)


def _inner(given: object, depth: int) -> tuple[Filter, ...]:
    if not isinstance(given, list) or not given:
        raise FilterError("A compound filter needs a list of filters.")
    return tuple(parse_filter(each, depth + 1) for each in given)


def _comparison(kind: str, given: Mapping[str, Any]) -> Comparison:
    key, value = given.get("key"), given.get("value")
    if not isinstance(key, str) or not key:
        raise FilterError("A comparison filter needs a key.")
    several = kind in ("in", "nin")
    if several and not isinstance(value, list):
        raise FilterError(f"The value of a filter of type {kind} must be a list.")
    values: Sequence[Any] = value if isinstance(value, list) and several else [value]
    if not all(isinstance(each, str | int | float | bool) for each in values):
        raise FilterError("A filter's value must be a string, a number or a boolean.")
    return Comparison(kind, key, tuple(values) if several else values[0])


def _same(one: object, other: object) -> bool:
    # In Python True equals 1; in the API a boolean is no number.
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _comparable(one: object, other: object) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return False
    return isinstance(one, str) == isinstance(other, str)
