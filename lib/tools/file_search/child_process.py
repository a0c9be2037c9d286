"""Opens a file in a process of its own, so that no file can hurt the app."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Bounds:
    """What a child may take before it is killed; `child_limits` bounds its memory and CPU."""

    wall_seconds: float
    answer_bytes: int
    niceness: int = 0
    """How far its priority lies below the app's, 0 to 19."""


class ChildFailure(Exception):
    """The child came to nothing."""


class ChildTookTooLong(ChildFailure):
    """In seconds of the clock or of the processor."""


class ChildSaidTooMuch(ChildFailure):
    """Its answer is longer than the bounds allow."""


async def run_child(
    module: str, arguments: Sequence[str], bounds: Bounds, given: bytes = b""
) -> bytes:
    """What `python -m module arguments` writes to its standard output, `given` as its input.

    Raises ChildFailure; no process is left behind, whatever happens.
    """
    child = await _start([sys.executable, "-m", module, *arguments], given)
    try:
        _lower_priority(child, bounds.niceness)
        async with asyncio.timeout(bounds.wall_seconds):
            answer = await _read_answer(child, bounds.answer_bytes)
            code = await child.wait()
    except TimeoutError:
        raise ChildTookTooLong from None
    finally:
        await _end(child)
    if code == -signal.SIGXCPU:
        raise ChildTookTooLong
    if code != 0 or not answer:
        raise ChildFailure
    return answer


async def _start(command: Sequence[str], given: bytes) -> asyncio.subprocess.Process:
    # Not a pipe, which may be closed by the time that something is written to it.
    with tempfile.TemporaryFile() as source:
        source.write(given)
        source.seek(0)
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=source,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=PROJECT,
            # A parser needs nothing of the app's environment, least of all its keys.
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            start_new_session=True,
        )


def _lower_priority(child: asyncio.subprocess.Process, niceness: int) -> None:
    # From here and not by the child itself, half of whose time is the start of Python.
    with suppress(ProcessLookupError):
        own = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, child.pid, own + niceness)


async def _read_answer(child: asyncio.subprocess.Process, most: int) -> bytes:
    assert child.stdout is not None
    parts, size = [], 0
    while part := await child.stdout.read(1 << 20):
        parts.append(part)
        size += len(part)
        if size > most:
            raise ChildSaidTooMuch
    return b"".join(parts)


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.kill()
        await child.wait()
