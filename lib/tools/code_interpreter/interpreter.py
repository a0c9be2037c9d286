"""The Code Interpreter: one Python session per key, in a sandbox that holds."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from lib.tools.code_interpreter.limits import Limits
from lib.tools.code_interpreter.sandbox import probe
from lib.tools.code_interpreter.sandbox.local import LocalSandboxes
from lib.tools.code_interpreter.sandbox.probe import Choice, Status
from lib.tools.code_interpreter.sandbox.protocol import Sandbox
from lib.tools.code_interpreter.session import Session

_SESSIONS_AT_MOST = 64
"""Open at once; beyond that the one unused longest is put away, its files kept."""
_log = logging.getLogger(__name__)


class UnavailableError(Exception):
    """No code can be run here. The text is a sentence that names the remedy."""


class CodeInterpreter:
    """Sessions by key (a thread's id), each closed when idle and its files kept.

    Start it once; `status` then says which sandbox is active and why.
    """

    def __init__(
        self,
        files: Path,
        choice: Choice = "auto",
        limits: Limits | None = None,
        idle_seconds: float = 3600.0,
    ) -> None:
        self.status = Status(None, "Code Interpreter has not been started.")
        self.files = files
        """Where the kept files and the boxes are; the program's own, nobody else writes there."""
        self._choice: Choice = choice
        self._limits = limits or Limits()
        self._idle_seconds = idle_seconds
        self._sandboxes: LocalSandboxes | None = None
        self._sessions: dict[str, Session] = {}
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Find a sandbox that works here and warm it up; takes a few seconds.

        Finding none is no error: `status.tier` is None and `session` raises UnavailableError.
        """
        self._sandboxes, self.status = await probe.find(self._choice, self.files, self._limits)
        _log.info(self.status.reason)
        self._sweeper = asyncio.create_task(self._close_idle_sessions())

    async def session(self, key: str) -> Session:
        """The session of this key. Raises UnavailableError, or SandboxError for a bad key."""
        if not self._sandboxes:
            raise UnavailableError(self.status.reason)
        self._sandboxes.check_key(key)
        if key not in self._sessions:
            create = self._creator(self._sandboxes, key)
            is_resumed = self._sandboxes.has_files(key)
            self._sessions[key] = Session(create, self._limits, is_resumed)
        return self._sessions[key]

    def _creator(self, sandboxes: LocalSandboxes, key: str) -> Callable[[], Awaitable[Sandbox]]:
        async def create() -> Sandbox:
            await self._make_room()
            return await sandboxes.create(key)

        return create

    async def _make_room(self) -> None:
        open_sessions = [session for session in self._sessions.values() if session.is_open]
        if len(open_sessions) < _SESSIONS_AT_MOST:
            return
        longest = max(open_sessions, key=lambda session: session.idle_seconds)
        if longest.idle_seconds > 0:
            await longest.close()

    async def _close_idle_sessions(self) -> None:
        while True:
            await asyncio.sleep(min(self._idle_seconds / 4, 30.0))
            for session in list(self._sessions.values()):
                if session.idle_seconds > self._idle_seconds:
                    await session.close()

    async def delete(self, key: str) -> None:
        """End the key's session and remove its files."""
        if not self._sandboxes:
            return
        if session := self._sessions.pop(key, None):
            await session.close()
        await self._sandboxes.delete(key)

    async def close(self) -> None:
        """End every session and the sandbox; files are kept."""
        if self._sweeper:
            self._sweeper.cancel()
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()
        if self._sandboxes:
            await self._sandboxes.close()
            self._sandboxes = None
            self.status = Status(None, "Code Interpreter has been closed.")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
