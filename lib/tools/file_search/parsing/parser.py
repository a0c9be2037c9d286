"""Parses one file in a process of its own, so that no file can hurt the app."""

import asyncio
import json
from pathlib import Path

from lib.tools.file_search.child_process import (
    Bounds,
    ChildFailure,
    ChildSaidTooMuch,
    ChildTookTooLong,
    run_child,
)
from lib.tools.file_search.parsing.document import (
    ChildAnswer,
    Page,
    ParsedDocument,
    ParseFailure,
)
from lib.tools.file_search.parsing.formats import extension_of

LARGEST_FILE_BYTES = 512 * 1024 * 1024
BOUNDS = Bounds(wall_seconds=180.0, answer_bytes=128 * 1024 * 1024, niceness=10)
CHILD_MODULE = "lib.tools.file_search.parsing.child"

TOO_LONG = "The file takes too long to read: it is damaged, or far too complex."
BROKEN = "The file is damaged: reading it failed."
TOO_MUCH_TEXT = "The file holds more text than can be searched."


async def parse_file(path: Path, filename: str) -> ParsedDocument:
    """The text of the file at `path`; `filename` tells its format.

    Raises ParseFailure with a reason in words, whatever is wrong with the file.
    """
    extension = extension_of(filename)
    # The child works in another folder.
    path = await asyncio.to_thread(path.absolute)
    _check_size(path)
    answer = await _run_child(path, extension)
    if answer.failure:
        raise ParseFailure(*answer.failure)
    return ParsedDocument([Page(text, number) for text, number in answer.pages])


def _check_size(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError:
        raise ParseFailure("server_error", "The stored file could not be read.") from None
    if size > LARGEST_FILE_BYTES:
        raise ParseFailure("invalid_file", "The file is larger than 512 MB.")


async def _run_child(path: Path, extension: str) -> ChildAnswer:
    try:
        answer = await run_child(CHILD_MODULE, [str(path), extension], BOUNDS)
    except ChildTookTooLong:
        raise ParseFailure("invalid_file", TOO_LONG) from None
    except ChildSaidTooMuch:
        raise ParseFailure("invalid_file", TOO_MUCH_TEXT) from None
    except ChildFailure:
        raise ParseFailure("invalid_file", BROKEN) from None
    return ChildAnswer(**json.loads(answer))
