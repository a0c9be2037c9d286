"""Rows as CSV that spreadsheets can open without harm."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

_FORMULAS = ("=", "+", "-", "@")


def csv_lines(rows: Iterable[Sequence[Any]]) -> str:
    lines = io.StringIO()
    csv.writer(lines).writerows([_harmless(value) for value in row] for row in rows)
    return lines.getvalue()


def _harmless(value: Any) -> Any:
    # Spreadsheets take text that begins so for a formula, and run it.
    if isinstance(value, str) and value.startswith(_FORMULAS):
        return f"'{value}"
    return value
