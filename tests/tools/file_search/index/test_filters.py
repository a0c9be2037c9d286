"""Attribute filters mean what the API says."""

from typing import Any

import pytest

from lib.tools.file_search.index.filters import FilterError, parse_filter

ATTRIBUTES: dict[str, str | float | bool] = {"year": 2024.0, "region": "EU", "draft": False}


def compare(kind: str, key: str, value: Any) -> dict[str, Any]:
    return {"type": kind, "key": key, "value": value}


@pytest.mark.parametrize(
    ("given", "matches"),
    [
        (compare("eq", "region", "EU"), True),
        (compare("eq", "year", 2024), True),
        (compare("eq", "draft", 0), False),
        (compare("ne", "region", "US"), True),
        (compare("ne", "missing", "x"), True),
        (compare("gt", "year", 2023), True),
        (compare("gt", "year", 2024), False),
        (compare("gte", "year", 2024), True),
        (compare("lt", "year", 2025), True),
        (compare("lte", "year", 2023), False),
        (compare("lt", "region", "F"), True),
        (compare("gt", "region", 3), False),
        (compare("gt", "missing", 3), False),
        (compare("in", "region", ["US", "EU"]), True),
        (compare("nin", "region", ["US", "EU"]), False),
        (compare("nin", "missing", ["US"]), True),
        (
            {"type": "and", "filters": [compare("eq", "region", "EU"), compare("lt", "year", 0)]},
            False,
        ),
        (
            {"type": "or", "filters": [compare("eq", "region", "EU"), compare("lt", "year", 0)]},
            True,
        ),
    ],
)
def test_a_filter_lets_the_right_files_through(given: dict[str, Any], matches: bool) -> None:
    assert parse_filter(given).matches(ATTRIBUTES) is matches


def nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = compare("eq", "a", 1)
    for _ in range(depth):
        inner = {"type": "and", "filters": [inner]}
    return inner


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"type": "like", "key": "a", "value": "b"}, "must be one of"),
        ({"type": "eq", "value": "b"}, "needs a key"),
        ({"type": "eq", "key": "a", "value": ["b"]}, "must be a string"),
        ({"type": "eq", "key": "a"}, "must be a string"),
        ({"type": "in", "key": "a", "value": "b"}, "must be a list"),
        ({"type": "and", "filters": []}, "list of filters"),
        ({"type": "or"}, "list of filters"),
        ({"type": "and", "filters": ["x"]}, "must be an object"),
        (nested(40), "nested"),
    ],
)
def test_a_wrong_filter_is_refused_in_words(given: dict[str, Any], says: str) -> None:
    with pytest.raises(FilterError, match=says):
        parse_filter(given)
