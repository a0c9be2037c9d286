"""What a parsed file is, and how a file that cannot be parsed says so."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

FailureCode = Literal["unsupported_file", "invalid_file", "server_error"]
PAGE_BREAK = "\n\n"

# PDFium marks a word broken at the end of a line with one of these.
_BROKEN_WORD = re.compile("[\x02\ufffe]\r?\n?")
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")


class ParseFailure(Exception):
    """A file that cannot be searched. `code` is the API's `last_error.code`, `reason` a sentence
    for the person who uploaded it."""

    def __init__(self, code: FailureCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Page:
    """The text of one page. `number` counts from 1 and is None where the format has no pages."""

    text: str
    number: int | None = None


@dataclass(frozen=True)
class ParsedDocument:
    """A file's text, page by page."""

    pages: list[Page]

    @cached_property
    def text(self) -> str:
        """All pages as one text; every offset of a chunk or a window points into it."""
        return PAGE_BREAK.join(page.text for page in self.pages)

    @cached_property
    def _starts(self) -> list[int]:
        starts, position = [], 0
        for page in self.pages:
            starts.append(position)
            position += len(page.text) + len(PAGE_BREAK)
        return starts

    @property
    def page_count(self) -> int | None:
        """None for a format without pages."""
        return len(self.pages) if self.pages and self.pages[0].number is not None else None

    def pages_between(self, start: int, end: int) -> list[tuple[int, int]]:
        """(offset from `start`, page number) of each page from character `start` up to `end`."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        last = bisect_left(self._starts, max(end, start + 1))
        return [
            (max(self._starts[place] - start, 0), number)
            for place in range(first, last)
            if (number := self.pages[place].number) is not None
        ]


class ChildAnswer(NamedTuple):
    """What the parsing process tells the app: pages as (text, number), or (code, reason)."""

    pages: Sequence[tuple[str, int | None]] = ()
    failure: tuple[FailureCode, str] | None = None


def clean(text: str) -> str:
    """The text with plain line ends and without the characters no index or JSON can carry."""
    text = _BROKEN_WORD.sub("", text).replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    text = _CONTROL.sub("", text)
    return text.encode("utf-8", "replace").decode("utf-8").strip()
