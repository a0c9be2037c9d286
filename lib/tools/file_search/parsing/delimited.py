"""CSV and TSV: every row carries its column names, so that a row is understood alone."""

import csv
import io
from pathlib import Path

from lib.tools.file_search.parsing import plain
from lib.tools.file_search.parsing.document import Page, ParseFailure, clean

SNIFFED_CHARACTERS = 20_000
LARGEST_CELL = 10_000_000


def parse(path: Path, extension: str) -> list[Page]:
    text = plain.read_text(path)
    csv.field_size_limit(LARGEST_CELL)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), _dialect(text, extension)))
    except csv.Error:
        raise ParseFailure("invalid_file", "The table cannot be read as CSV.") from None
    return [Page(clean("\n".join(_lines(rows))))]


def _dialect(text: str, extension: str) -> type[csv.Dialect]:
    if extension == ".tsv":
        return csv.excel_tab
    try:
        return csv.Sniffer().sniff(text[:SNIFFED_CHARACTERS], ",;\t|")
    except csv.Error:
        return csv.excel


def _lines(rows: list[list[str]]) -> list[str]:
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    if len(filled) < 2:
        return [", ".join(row) for row in filled]
    names, *values = filled
    return [_line(names, row) for row in values]


def _line(names: list[str], row: list[str]) -> str:
    padded = [*names, *[""] * (len(row) - len(names))]
    pairs = zip(padded, row, strict=False)
    return ", ".join(f"{name}: {cell}" if name else cell for name, cell in pairs if cell.strip())
