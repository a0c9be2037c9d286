"""Parses one file in a process of its own, so that no file can hurt the app."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from lib.tools.file_search.parsing.document import (
    ChildAnswer,
    Page,
    ParsedDocument,
    ParseFailure,
)
from lib.tools.file_search.parsing.formats import extension_of

LARGEST_FILE_BYTES = 512 * 1024 * 1024
LARGEST_ANSWER_BYTES = 128 * 1024 * 1024
WALL_SECONDS = 180.0
CHILD_MODULE = "lib.tools.file_search.parsing.child"
PROJECT = Path(__file__).resolve().parents[4]

TOO_LONG = "The file takes too long to read: it is damaged, or far too complex."
BROKEN = "The file is damaged: reading it failed."


async def parse_file(path: Path, filename: str) -> ParsedDocument:
    """The text of the file at `path`; `filename` tells its format.

    Raises ParseFailure with a reason in words, whatever is wrong with the file.
    """
    extension = extension_of(filename)
    # The child works in another folder.
    path = await asyncio.to_thread(path.absolute)
    _check_size(path)
    answer = _decoded(*await _run_child(path, extension))
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


async def _run_child(path: Path, extension: str) -> tuple[int, bytes]:
    """The child's exit code and its answer. Killed when it takes too long or says too much."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", CHILD_MODULE, str(path), extension),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=PROJECT,
        # A parser needs nothing of the app's environment, least of all its keys.
        env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(WALL_SECONDS):
            answer = await _read_answer(child)
            return await child.wait(), answer
    except TimeoutError:
        raise ParseFailure("invalid_file", TOO_LONG) from None
    finally:
        await _end(child)


async def _read_answer(child: asyncio.subprocess.Process) -> bytes:
    assert child.stdout is not None
    parts, size = [], 0
    while part := await child.stdout.read(1 << 20):
        parts.append(part)
        size += len(part)
        if size > LARGEST_ANSWER_BYTES:
            raise ParseFailure("invalid_file", "The file holds more text than can be searched.")
    return b"".join(parts)


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.kill()
        await child.wait()


def _decoded(code: int, answer: bytes) -> ChildAnswer:
    if code == -signal.SIGXCPU:
        raise ParseFailure("invalid_file", TOO_LONG)
    if code != 0 or not answer:
        raise ParseFailure("invalid_file", BROKEN)
    return ChildAnswer(**json.loads(answer))
