"""What a sandbox is to the rest of the tool, whichever way it is made."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lib.tools.code_interpreter.events import Image, LogText, OutputFile


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event of an execution."""

    ok: bool
    error: str | None
    """Why the cell did not finish; None when ok."""
    lost: bool = False
    """The sandbox is gone, and with it every variable; its files are kept."""


SandboxEvent = LogText | Image | Ended


class SandboxError(Exception):
    """A sandbox could not be made or used. The text is a sentence for people."""


class Sandbox(Protocol):
    """One Python session with its own files, cut off from everything else."""

    @property
    def alive(self) -> bool: ...

    def execute(self, code: str, wall_seconds: float) -> AsyncIterator[SandboxEvent]:
        """Run one cell for at most `wall_seconds`; variables stay for the next."""
        ...

    async def settle(self) -> None:
        """Wait until a cell that nobody listens to any more is over; it may end the sandbox."""
        ...

    async def interrupt(self) -> None:
        """Stop the cell that is running, keeping variables when its code lets itself be stopped."""
        ...

    async def put(self, name: str, content: bytes | Path) -> str:
        """Place a file under /mnt/data. Returns its name there, changed when taken or unsafe."""
        ...

    async def get(self, name: str) -> bytes:
        """Content of a file under /mnt/data. Raises SandboxError when there is no such file."""
        ...

    async def changed_files(self) -> tuple[list[OutputFile], list[str]]:
        """Files that the last cell made or changed, and a sentence for each one left out."""
        ...

    async def close(self) -> None:
        """End every process of it. Its files are kept."""
        ...


class Sandboxes(Protocol):
    """Makes sandboxes of one kind."""

    async def start(self) -> None:
        """Get ready. Raises SandboxError saying why this kind does not work here."""
        ...

    async def create(self, key: str) -> Sandbox:
        """A fresh sandbox over the files kept under `key`."""
        ...

    def has_files(self, key: str) -> bool:
        """True when files are kept under `key`, also by a process before this one."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the files kept under `key`."""
        ...

    async def close(self) -> None: ...
