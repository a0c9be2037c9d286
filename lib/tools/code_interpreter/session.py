"""A thread's Python session: cells one after another, over files that outlive it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

from lib.tools.code_interpreter.events import Done, Event, LogText
from lib.tools.code_interpreter.limits import Limits
from lib.tools.code_interpreter.sandbox.protocol import Ended, Sandbox

_FRESH = "[This is a new session: variables of earlier cells are gone, files are kept.]\n"


class Session:
    """Runs cells in a sandbox, and takes a fresh one when the last was lost or put away."""

    def __init__(
        self, create: Callable[[], Awaitable[Sandbox]], limits: Limits, is_resumed: bool = False
    ) -> None:
        """`is_resumed`: an earlier process left files, and variables that are gone."""
        self._create = create
        self._limits = limits
        self._sandbox: Sandbox | None = None
        self._has_run = False
        self._lost_variables = is_resumed
        self._turn = asyncio.Lock()
        self._last_used = time.monotonic()

    @property
    def is_open(self) -> bool:
        """True while it holds a sandbox."""
        return self._sandbox is not None

    @property
    def idle_seconds(self) -> float:
        """Since the last use; 0 while a cell runs or waits, and when nothing would be freed."""
        if self._turn.locked() or not self._sandbox:
            return 0.0
        return time.monotonic() - self._last_used

    async def execute(
        self, code: str, wall_seconds: float | None = None
    ) -> AsyncGenerator[Event, None]:
        """Run one cell and yield what comes of it, ending with `Done`.

        `wall_seconds` can only shorten the limit. Leaving the loop early, or being
        cancelled in it, interrupts the code. Raises SandboxError when no sandbox can be made.
        """
        most = self._limits.wall_seconds
        async with self._turn:
            sandbox = await self._ready()
            if self._lost_variables:
                yield LogText(_FRESH)
            self._has_run, self._lost_variables = True, False
            events = sandbox.execute(code, min(wall_seconds or most, most))
            try:
                async for event in events:
                    if not isinstance(event, Ended):
                        yield event
                        continue
                    self._last_used = time.monotonic()
                    files, problems = await sandbox.changed_files()
                    if problems:
                        yield LogText("".join(f"[Not kept: {text}.]\n" for text in problems))
                    yield Done(event.ok, event.error, files)
            finally:
                await events.aclose()  # type: ignore[attr-defined]

    async def _ready(self) -> Sandbox:
        if self._sandbox:
            await self._sandbox.settle()
            if not self._sandbox.alive:
                await self._put_away()
        if not self._sandbox:
            self._sandbox = await self._create()
        return self._sandbox

    async def interrupt(self) -> None:
        """Stop the running cell; its `execute` ends with a `Done` that says so."""
        if self._sandbox:
            await self._sandbox.interrupt()

    async def put(self, name: str, content: bytes | Path) -> str:
        """Place a file under /mnt/data. Returns its name there, changed when taken or unsafe."""
        async with self._turn:
            return await (await self._ready()).put(name, content)

    async def get(self, name: str) -> bytes:
        """Content of a file under /mnt/data. Raises SandboxError when there is no such file."""
        async with self._turn:
            return await (await self._ready()).get(name)

    async def close(self) -> None:
        """End the session's processes; a later cell starts afresh over the same files."""
        if self._sandbox:
            await self._sandbox.interrupt()
        async with self._turn:
            await self._put_away()

    async def _put_away(self) -> None:
        if self._sandbox:
            sandbox, self._sandbox = self._sandbox, None
            self._lost_variables = self._lost_variables or self._has_run
            await sandbox.close()
