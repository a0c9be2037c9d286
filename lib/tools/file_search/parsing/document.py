"""What a parsed file is, and how a file that cannot be parsed says so."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

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

    def page_at(self, offset: int) -> int | None:
        """The number of the page that holds the character at `offset`."""
        return self.pages[max(bisect_right(self._starts, offset) - 1, 0)].number

    def page_starts(self) -> list[tuple[int, int]]:
        """(first character, page number) of each page of a format that has pages."""
        numbered = zip(self._starts, self.pages, strict=True)
        return [(start, page.number) for start, page in numbered if page.number is not None]


def clean(text: str) -> str:
    """The text with plain line ends and without the characters no index or JSON can carry."""
    text = _BROKEN_WORD.sub("", text).replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    text = _CONTROL.sub("", text)
    return text.encode("utf-8", "replace").decode("utf-8").strip()
