"""Prompts out of what people paste and upload."""

import csv
import io
from pathlib import PurePath

PROMPT_COLUMNS = ("prompt", "question", "message", "input", "text")


class UnreadablePromptsError(Exception):
    """The text is one sentence for the person who gave the prompts."""


def from_text(text: str) -> list[str]:
    """One prompt a line; empty lines do not count."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def from_file(name: str, content: bytes) -> list[str]:
    """Prompts of a text or CSV file. Raises UnreadablePromptsError."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadablePromptsError(
            f"{name} is not text in UTF-8. Save it as UTF-8 and upload it again."
        ) from None
    return from_csv(name, text) if PurePath(name).suffix.lower() == ".csv" else from_text(text)


def from_csv(name: str, text: str) -> list[str]:
    """The column named prompt, question, message, input or text; else the first one.

    Raises UnreadablePromptsError.
    """
    try:
        rows = [row for row in csv.reader(io.StringIO(text), strict=True) if any(row)]
    except csv.Error as error:
        raise UnreadablePromptsError(f"{name} is not a CSV file: {error}.") from None
    if not rows:
        return []
    header = [cell.strip().lower() for cell in rows[0]]
    named = next((header.index(one) for one in PROMPT_COLUMNS if one in header), None)
    column, rows = (0, rows) if named is None else (named, rows[1:])
    cells = (row[column].strip() for row in rows if len(row) > column)
    return [cell for cell in cells if cell]
