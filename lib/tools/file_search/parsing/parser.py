"""Parses one file in a process of its own, so that no file can hurt the app."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from lib.tools.file_search.child_process import (
    Bounds,
    ChildFailure,
    ChildGone,
    ChildSaidTooMuch,
    ChildTookTooLong,
    ForkingChild,
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
CHILD_MODULE = "lib.tools.file_search.parsing.forking_child"

TOO_LONG = "The file takes too long to read: it is damaged, or far too complex."
BROKEN = "The file is damaged: reading it failed."
TOO_MUCH_TEXT = "The file holds more text than can be searched."


class Parser:
    """Parses files, each in a process of its own; closed, it leaves none behind.

    The processes are forked from ones that stay: as many as there are files at once.
    """

    def __init__(self) -> None:
        self._idle: list[ForkingChild] = []

    async def parse_file(self, path: Path, filename: str) -> ParsedDocument:
        """The text of the file at `path`; `filename` tells its format.

        Raises ParseFailure with a reason in words, whatever is wrong with the file.
        """
        extension = extension_of(filename)
        # The child works in another folder.
        path = await asyncio.to_thread(path.absolute)
        _check_size(path)
        answer = await self._answer(path, extension)
        if answer.failure:
            raise ParseFailure(*answer.failure)
        return ParsedDocument([Page(text, number) for text, number in answer.pages])

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().end()

    async def _answer(self, path: Path, extension: str) -> ChildAnswer:
        try:
            answer = await self._run([str(path), extension])
        except ChildTookTooLong:
            raise ParseFailure("invalid_file", TOO_LONG) from None
        except ChildSaidTooMuch:
            raise ParseFailure("invalid_file", TOO_MUCH_TEXT) from None
        except ChildFailure:
            raise ParseFailure("invalid_file", BROKEN) from None
        return ChildAnswer(**json.loads(answer))

    async def _run(self, arguments: Sequence[str]) -> bytes:
        """A process that was ended from outside while it waited is no fault of the file."""
        try:
            return await self._run_once(arguments)
        except ChildGone:
            return await self._run_once(arguments)

    async def _run_once(self, arguments: Sequence[str]) -> bytes:
        child = await self._child()
        try:
            return await child.run(arguments, BOUNDS)
        finally:
            if child.is_alive:
                self._idle.append(child)

    async def _child(self) -> ForkingChild:
        while self._idle:
            if (child := self._idle.pop()).is_alive:
                return child
        return await ForkingChild.start(CHILD_MODULE, BOUNDS.niceness)


async def parse_file(path: Path, filename: str) -> ParsedDocument:
    """Parse a single file: see `Parser.parse_file`."""
    parser = Parser()
    try:
        return await parser.parse_file(path, filename)
    finally:
        await parser.close()


def _check_size(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError:
        raise ParseFailure("server_error", "The stored file could not be read.") from None
    if size > LARGEST_FILE_BYTES:
        raise ParseFailure("invalid_file", "The file is larger than 512 MB.")
