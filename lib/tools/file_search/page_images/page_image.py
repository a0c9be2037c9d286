"""What a page's image is, and how a page that cannot be drawn says so."""

from dataclasses import dataclass
from typing import Literal

LONGEST_SIDE = 2400
"""Dots."""
MOST_PIXELS = 4_000_000
LARGEST_IMAGE_BYTES = 16 * 1024 * 1024
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

Marked = Literal["whole", "part", "none"]
"""How much of the quotes could be highlighted."""
PageFailureCode = Literal["not_a_pdf", "no_such_page", "page_not_drawable"]


@dataclass(frozen=True)
class PageImage:
    """One page as a PNG file."""

    png: bytes
    marked: Marked


class PageFailure(Exception):
    """A page of which there is no image. `reason` is a sentence for the person who asked."""

    def __init__(self, code: PageFailureCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
