"""Sandboxes on this machine: boxes of the zygote, each over its own directory."""

import asyncio
import logging
import os
import re
import subprocess
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from lib.tools.code_interpreter import input_files, output_files, worker
from lib.tools.code_interpreter.channel import Channel
from lib.tools.code_interpreter.events import LogText, OutputFile
from lib.tools.code_interpreter.limits import Limits
from lib.tools.code_interpreter.output_stream import OutputStream
from lib.tools.code_interpreter.sandbox import landlock, linux, scheduling, zygote
from lib.tools.code_interpreter.sandbox.cell import Cell, Places
from lib.tools.code_interpreter.sandbox.privileges import SANDBOX_USER
from lib.tools.code_interpreter.sandbox.protocol import Ended, SandboxError, SandboxEvent
from lib.tools.code_interpreter.sandbox.zygote_client import (
    Box,
    ZygoteClient,
    readable_directories,
)
from lib.tools.code_interpreter.watchdog import UnlinkedFiles

_PROOF_SECONDS = 20.0
_ESCAPE_ATTEMPT = """
import os, socket

def succeeds(action):
    try:
        action()
    except OSError:
        return False
    return True

open('written', 'w').write('own files work')
escapes = {{
    'read a file of the host': lambda: open({canary!r}).read(),
    'write beside its own files': lambda: open({canary!r}, 'w'),
    'open a socket': lambda: socket.socket(),
    'write to the system': lambda: open('/usr/bin/sandboxed', 'w'),
}}
print([name for name, action in escapes.items() if succeeds(action)] or 'held')
"""
_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_log = logging.getLogger(__name__)


class LocalSandboxes:
    """Boxes by bubblewrap when a `bwrap` program is given, by Landlock otherwise.

    One box is always ready beforehand, so that a new key gets its first cell at once.
    """

    def __init__(self, files: Path, limits: Limits, bwrap: str | None) -> None:
        self._files = files.resolve()
        self._limits = limits
        self._config = zygote.Config(bwrap, self._files, readable_directories(), limits)
        self._client = ZygoteClient(self._config)
        self._ready: asyncio.Task[LocalSandbox] | None = None

    async def start(self) -> None:
        """Start the zygote and make a first box. Raises SandboxError."""
        if self._config.bwrap is None and linux.landlock_abi() < landlock.OLDEST_ABI:
            raise SandboxError(f"this kernel has no Landlock of ABI {landlock.OLDEST_ABI} or newer")
        await asyncio.to_thread(self._prepare_directories)
        await self._client.start()
        self._ready = asyncio.create_task(self._new_box(self._new_data()))
        await self._ready

    async def prove(self) -> None:
        """Run code that tries to get out. Raises SandboxError when it can, or cannot run."""
        canary = self._files / f"canary-{uuid.uuid4().hex}"
        canary.write_text("a file of the host")
        sandbox = await self._new_box(self._new_data())
        code = _ESCAPE_ATTEMPT.format(canary=str(canary))
        try:
            events = [event async for event in sandbox.execute(code, _PROOF_SECONDS)]
        finally:
            await sandbox.close()
            canary.unlink()
        printed = "".join(event.text for event in events if isinstance(event, LogText)).strip()
        if printed != "held":
            raise SandboxError(f"it failed its proof: {printed[-200:] or 'no answer'}")

    def _prepare_directories(self) -> None:
        # Boxes reach their own directories by path; nobody but the host may list them.
        for path, mode in (
            (self._files, 0o711),
            (self._files / "boxes", 0o711),
            (self._files / "kept", 0o711),
            (self._files / "collected", 0o700),
        ):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(mode)
        _own_directory(self._files / "matplotlib")
        for name in ("boxes", "collected"):
            for leftover in (self._files / name).iterdir():
                _remove(leftover)

    async def create(self, key: str) -> "LocalSandbox":
        self.check_key(key)
        await self._restart_if_ended()
        data = self._files / "kept" / key
        if data.exists():
            return await self._new_box(data)
        return await self._adopt(data)

    def has_files(self, key: str) -> bool:
        return (self._files / "kept" / key).exists()

    def check_key(self, key: str) -> None:
        """Raises SandboxError for a key that could not be a directory's name."""
        if not _KEY.fullmatch(key):
            raise SandboxError("a session's key is made of letters, digits, - and _")

    async def _restart_if_ended(self) -> None:
        if self._client.running:
            return
        _log.warning("The sandbox's first process ended; starting another.")
        await self.close()
        self._client = ZygoteClient(self._config)
        await self.start()

    async def _adopt(self, data: Path) -> "LocalSandbox":
        """Give the box that is ready to a new key: its still empty directory becomes the key's."""
        ready, self._ready = self._ready, None
        try:
            sandbox = await (ready or asyncio.create_task(self._new_box(self._new_data())))
        except SandboxError:
            sandbox = await self._new_box(self._new_data())
        sandbox.move_data(data)
        if self._ready is None:
            self._ready = asyncio.create_task(self._new_box(self._new_data()))
        return sandbox

    def _new_data(self) -> Path:
        data = self._files / "boxes" / f"data-{uuid.uuid4().hex}"
        _own_directory(data)
        return data

    async def _new_box(self, data: Path) -> "LocalSandbox":
        directory = self._files / "boxes" / uuid.uuid4().hex
        for path in (directory, directory / "tmp", directory / "shm"):
            _own_directory(path)
        box = await self._client.create_box(directory, data)
        shown = worker.DATA if self._config.bwrap else None
        places = Places(data, directory, self._files / "collected", shown)
        return LocalSandbox(self._client, box, places, self._limits)

    async def delete(self, key: str) -> None:
        self.check_key(key)
        await asyncio.to_thread(_remove, self._files / "kept" / key)

    async def close(self) -> None:
        if self._ready:
            self._ready.cancel()
            await asyncio.gather(self._ready, return_exceptions=True)
            self._ready = None
        await self._client.close()


class LocalSandbox:
    """One box. Between cells all its processes stand still."""

    def __init__(self, client: ZygoteClient, box: Box, places: Places, limits: Limits) -> None:
        self._places = places
        self._client = client
        self._box = box
        self._limits = limits
        self._channel = Channel(box.channel, limits.image_bytes)
        self._output = OutputStream(box.output, limits.output_bytes)
        self._unlinked = UnlinkedFiles()
        self._cells = 0
        self._cell: Cell | None = None

    def move_data(self, data: Path) -> None:
        """Give the box's data another place on the host; inside nothing changes."""
        self._places.data.rename(data)
        self._places.data = data

    @property
    def alive(self) -> bool:
        return not self._box.ended.is_set()

    async def execute(self, code: str, wall_seconds: float) -> AsyncIterator[SandboxEvent]:
        await self.settle()
        if not self.alive:
            raise SandboxError("the sandbox has ended")
        self._cells += 1
        cell = self._cell = Cell(
            self._client, self._box, self._limits, self._places, self._unlinked, wall_seconds
        )
        cell.start(self._channel, self._output, self._cells, code)
        try:
            while not isinstance(event := await cell.events.get(), Ended):
                yield event
            if cell.broke_disk_limits:
                await asyncio.to_thread(self._remove_added, cell.before)
            yield event
        finally:
            cell.abandon()

    async def settle(self) -> None:
        if self._cell:
            await self._cell.finished()

    def _remove_added(self, before: output_files.Snapshot) -> None:
        """Take away what broke the limits of disk, or no later cell could keep to them."""
        for path in output_files.added(self._places.data, before):
            _remove(self._places.data / os.fsdecode(path))

    async def interrupt(self) -> None:
        if self._cell:
            self._cell.interrupt("stopped on request")

    async def put(self, name: str, content: bytes | Path) -> str:
        await self.settle()
        return await asyncio.to_thread(input_files.place, self._places.data, name, content)

    async def get(self, name: str) -> bytes:
        return await asyncio.to_thread(self._read, name)

    def _read(self, name: str) -> bytes:
        path = os.fsencode(name.removeprefix("/mnt/data/"))
        try:
            with output_files.open_safely(self._places.data, path, self._limits.file_bytes) as file:
                return file.read(self._limits.file_bytes)
        except (output_files.UnsafeFileError, OSError, ValueError):
            raise SandboxError(f"there is no file {name!r} that could be read") from None

    async def changed_files(self) -> tuple[list[OutputFile], list[str]]:
        return (self._cell.files, self._cell.problems) if self._cell else ([], [])

    async def close(self) -> None:
        self._client.signal(self._box, "kill")
        if self._client.running:
            await self._box.ended.wait()
        await self.settle()
        self._box.close()
        await asyncio.to_thread(_remove, self._places.scratch)


def _own_directory(path: Path) -> None:
    """Make a directory that the sandbox's user owns."""
    path.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(path, SANDBOX_USER, SANDBOX_USER)


def _remove(path: Path) -> None:
    """Remove whatever hostile code may have built there.

    By the system's tools: Python's own gives up on deep trees and on directories made unreadable.
    """
    if os.geteuid() != 0 and path.is_dir() and not path.is_symlink():
        _run_behind_others("chmod", "-R", "u+rwX", "--", path)
    _run_behind_others("rm", "-rf", "--", path)


def _run_behind_others(*command: str | Path) -> None:
    behind = ["nice", "-n", str(scheduling.NICENESS)]
    subprocess.run([*behind, *command], check=False, capture_output=True)
