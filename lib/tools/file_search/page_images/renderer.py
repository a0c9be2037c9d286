"""Draws pages of PDF files, each in a process of its own."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from lib.tools.file_search.child_process import (
    Bounds,
    ChildFailure,
    ChildTookTooLong,
    run_child,
)
from lib.tools.file_search.page_images.page_image import (
    LARGEST_IMAGE_BYTES,
    PNG_SIGNATURE,
    PageFailure,
    PageImage,
)

# Somebody looks at the screen meanwhile.
BOUNDS = Bounds(wall_seconds=20.0, answer_bytes=LARGEST_IMAGE_BYTES)
CHILD_MODULE = "lib.tools.file_search.page_images.child"
AT_ONCE = 2
HEAD_BYTES = 1024

NOT_A_PDF = "The file is not a PDF: only PDF files have pages that can be drawn."
TOO_LONG = "The page takes too long to draw: it is damaged, or far too complex."
BROKEN = "The page cannot be drawn: it is damaged."


class PageRenderer:
    """One for a server, so that many readers at once do not take all of its memory."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)

    async def render(self, path: Path, number: int, quotes: Sequence[str] = ()) -> PageImage:
        """Page `number`, from 1, of the file at `path`, the quotes on it highlighted.

        A quote that does not stand on the page is left out, and `marked` says so. Raises
        PageFailure.
        """
        path = await asyncio.to_thread(path.absolute)
        if not await asyncio.to_thread(_is_pdf, path):
            raise PageFailure("not_a_pdf", NOT_A_PDF)
        given = json.dumps(list(quotes)).encode()
        try:
            async with self._free:
                answer = await run_child(CHILD_MODULE, [str(path), str(number)], BOUNDS, given)
        except ChildTookTooLong:
            raise PageFailure("page_not_drawable", TOO_LONG) from None
        except ChildFailure:
            raise PageFailure("page_not_drawable", BROKEN) from None
        return _decoded(answer)


def _is_pdf(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"%PDF-" in file.read(HEAD_BYTES)
    except OSError:
        return False


def _decoded(answer: bytes) -> PageImage:
    line, _, content = answer.partition(b"\n")
    said = json.loads(line)
    if "failure" in said:
        raise PageFailure(*said["failure"])
    if not content.startswith(PNG_SIGNATURE):
        raise PageFailure("page_not_drawable", BROKEN)
    return PageImage(content, said["marked"])
