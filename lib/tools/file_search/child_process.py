"""Opens a file in a process of its own, so that no file can hurt the app."""

import asyncio
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PROJECT = Path(__file__).resolve().parents[3]
_EXIT_CODE = re.compile(rb"\n(-?\d+)\n\Z")
_LONGEST_END = 8
_ATTEMPTS = 20
_PAUSE = 0.1
"""Seconds: the kernel lets ordinary users change a session ten times a second, all together."""


@dataclass(frozen=True)
class Bounds:
    """What a child may take before it is killed; `child_limits` bounds its memory and CPU."""

    wall_seconds: float
    answer_bytes: int
    niceness: int = 0
    """How far its priority lies below the app's, 0 to 19."""


class ChildFailure(Exception):
    """The child came to nothing."""


class ChildGone(ChildFailure):
    """The process that forks ended, perhaps before it had anything to do with the request."""


class ChildTookTooLong(ChildFailure):
    """In seconds of the clock or of the processor."""


class ChildSaidTooMuch(ChildFailure):
    """Its answer is longer than the bounds allow."""


class ForkingChild:
    """A process that forks another for each request, since starting Python takes far longer than
    reading a small file.

    `module` reads lines of its input, each a JSON list of arguments, and after what a fork has
    answered, which holds no line break, writes that fork's exit code between two line breaks.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._is_ended = False

    @classmethod
    async def start(cls, module: str, niceness: int) -> "ForkingChild":
        process = await _start([sys.executable, "-m", module], asyncio.subprocess.PIPE)
        child = cls(process)
        try:
            await _lower_priority(process, niceness)
        except BaseException:
            await child.end()
            raise
        return child

    @property
    def is_alive(self) -> bool:
        return not self._is_ended and self._process.returncode is None

    async def run(self, arguments: Sequence[str], bounds: Bounds) -> bytes:
        """What a fork answers. Raises ChildFailure; no fork is left behind, whatever happens.

        A fork that fails leaves this process as it was; one that has to be killed ends it too.
        When it ends by itself, that is ChildGone: another may do better.
        """
        try:
            async with asyncio.timeout(bounds.wall_seconds):
                answer, code = await self._ask(arguments, bounds.answer_bytes)
        except TimeoutError:
            await self.end()
            raise ChildTookTooLong from None
        except BaseException:
            await self.end()
            raise
        return _checked(answer, code)

    async def end(self) -> None:
        """End it, with the fork that is at work."""
        self._is_ended = True
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    async def _ask(self, arguments: Sequence[str], most: int) -> tuple[bytes, int]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(list(arguments)).encode() + b"\n")
            await self._process.stdin.drain()
        except ConnectionError:
            raise ChildGone from None
        said = await _read_answer(self._process, most, _EXIT_CODE)
        if (end := _EXIT_CODE.search(said)) is None:
            raise ChildGone
        return said[: end.start()], int(end[1])


async def run_child(
    module: str, arguments: Sequence[str], bounds: Bounds, given: bytes = b""
) -> bytes:
    """What `python -m module arguments` writes to its standard output, `given` as its input.

    Raises ChildFailure; no process is left behind, whatever happens.
    """
    # Not a pipe, which may be closed by the time that something is written to it.
    with tempfile.TemporaryFile() as source:
        source.write(given)
        source.seek(0)
        child = await _start([sys.executable, "-m", module, *arguments], source)
    try:
        await _lower_priority(child, bounds.niceness)
        async with asyncio.timeout(bounds.wall_seconds):
            answer = await _read_answer(child, bounds.answer_bytes)
            code = await child.wait()
    except TimeoutError:
        raise ChildTookTooLong from None
    finally:
        await _end(child)
    return _checked(answer, code)


def _checked(answer: bytes, code: int) -> bytes:
    if code == -signal.SIGXCPU:
        raise ChildTookTooLong
    if code != 0 or not answer:
        raise ChildFailure
    return answer


async def _start(command: Sequence[str], source: IO[bytes] | int) -> asyncio.subprocess.Process:
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


async def _lower_priority(child: asyncio.subprocess.Process, niceness: int) -> None:
    # From here and not by the child itself, half of whose time is the start of Python.
    if niceness == 0:
        return
    lower = os.getpriority(os.PRIO_PROCESS, 0) + niceness
    with suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, child.pid, lower)
    for _ in range(_ATTEMPTS):
        if _weigh_less(child.pid, min(lower, 19)):
            return
        await asyncio.sleep(_PAUSE)


def _weigh_less(session_id: int, niceness: int) -> bool:
    """Lower a whole session where the kernel shares time out among them (sched(7)).

    False when that was done to another session just now.
    """
    try:
        Path(f"/proc/{session_id}/autogroup").write_text(str(niceness))
    except BlockingIOError:
        return False
    except OSError:
        # This kernel knows no such thing, or the child has ended.
        return True
    return True


async def _read_answer(
    child: asyncio.subprocess.Process, most: int, end: re.Pattern[bytes] | None = None
) -> bytes:
    """All that the child writes until it ends, or until what it wrote last matches `end`."""
    assert child.stdout is not None
    said = bytearray()
    while part := await child.stdout.read(1 << 20):
        said += part
        if len(said) > most:
            raise ChildSaidTooMuch
        if end is not None and end.search(said, max(len(said) - _LONGEST_END, 0)):
            break
    return bytes(said)


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.kill()
        await child.wait()
