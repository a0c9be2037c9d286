"""The host's end of the zygote: starts it, asks it for boxes, signals them."""

import asyncio
import fcntl
import itertools
import json
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from lib.tools.code_interpreter.sandbox import process_tree, zygote
from lib.tools.code_interpreter.sandbox.protocol import SandboxError

_START_SECONDS = 60.0
_CREATE_SECONDS = 20.0
_THREADS_AT_MOST = 16
_PIPE_BYTES = 1024 * 1024
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ

Signal = Literal["interrupt", "freeze", "resume", "kill"]


@dataclass(slots=True)
class Box:
    """A running box as the host sees it; process ids are the host's."""

    number: int
    channel: socket.socket
    """Frames to and from the worker."""
    output: int
    """What is printed inside, non-blocking."""
    started: asyncio.Future[None]
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    frozen: asyncio.Event = field(default_factory=asyncio.Event)
    """Every process of it stands still."""
    killed_by: int | None = None
    worker: int = 0
    init: int | None = None

    def close(self) -> None:
        self.channel.close()
        if self.output >= 0:
            os.close(self.output)
            self.output = -1


class ZygoteClient:
    def __init__(self, config: zygote.Config) -> None:
        self._config = config
        self._boxes: dict[int, Box] = {}
        self._numbers = itertools.count(1)
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._ready: asyncio.Future[None] | None = None

    @property
    def running(self) -> bool:
        return self._control is not None

    async def start(self) -> None:
        """Start the zygote and wait for its imports. Raises SandboxError with its last words."""
        # Not a pipe, which nobody would read while all is well.
        with tempfile.TemporaryFile() as said:
            ready = await self._start_process(said)
            try:
                await asyncio.wait_for(asyncio.shield(ready), _START_SECONDS)
            except TimeoutError:
                await self.close()
                raise SandboxError("the sandbox's first process did not start in time") from None
            except EOFError:
                await self.close()
                raise SandboxError(_last_words(said)) from None

    async def _start_process(self, said: IO[bytes]) -> asyncio.Future[None]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *zygote.python_running("launch"),
                json.dumps(self._config.as_json()),
                stdin=theirs.fileno(),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=said,
                env=_environment(self._config.files),
                start_new_session=True,
            )
        loop = asyncio.get_running_loop()
        self._control = ours
        self._ready = loop.create_future()
        loop.add_reader(ours, self._on_packet)
        return self._ready

    async def create_box(self, directory: Path, data: Path) -> Box:
        """A box over `data` and the directory's `tmp` and `shm`. Raises SandboxError."""
        if not self._control:
            raise SandboxError("the sandbox's first process has ended")
        channel, their_channel = socket.socketpair()
        channel.setblocking(False)
        output, their_output = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(output, False)
        _enlarge(output)
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        box = Box(next(self._numbers), channel, output, started)
        self._boxes[box.number] = box
        request = {
            "do": "create",
            "box": box.number,
            "directory": str(directory),
            "data": str(data),
        }
        try:
            self._send(request, [their_channel.fileno(), their_output])
            await asyncio.wait_for(started, _CREATE_SECONDS)
        except (TimeoutError, SandboxError, asyncio.CancelledError) as problem:
            self.signal(box, "kill")
            box.close()
            if isinstance(problem, TimeoutError):
                raise SandboxError("the sandbox did not start in time") from None
            raise
        finally:
            their_channel.close()
            os.close(their_output)
        return box

    def processes(self, box: Box) -> list[int]:
        """Ids of everything that runs in the box, by /proc."""
        assert self._process
        return process_tree.members(box.worker, box.init, self._process.pid)

    def signal(self, box: Box, what: Signal) -> None:
        """Ask for a signal to the whole box; a box that has ended is left in peace."""
        if not box.ended.is_set() and self._control:
            self._send({"do": what, "box": box.number}, [])

    async def freeze(self, box: Box) -> None:
        """Make every process of the box stand still; return when they do, or are gone."""
        box.frozen.clear()
        self.signal(box, "freeze")
        if not box.ended.is_set() and self._control:
            await box.frozen.wait()

    def _send(self, request: dict[str, Any], fds: Sequence[int]) -> None:
        assert self._control
        try:
            socket.send_fds(self._control, [json.dumps(request).encode()], fds)
        except OSError:
            # Its end shows on the reading side as well, where every box is told.
            return

    def _on_packet(self) -> None:
        assert self._control
        try:
            packet = self._control.recv(zygote.MAX_PACKET)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:
            self._on_end()
            return
        message = json.loads(packet)
        if message["event"] == "ready":
            _resolve(self._ready)
        elif box := self._boxes.get(message["box"]):
            self._on_box_event(box, message)

    def _on_box_event(self, box: Box, message: dict[str, Any]) -> None:
        if message["event"] == "started":
            box.worker, box.init = message["worker"], message["init"]
            _resolve(box.started)
            return
        if message["event"] == "frozen":
            box.frozen.set()
            return
        self._boxes.pop(box.number)
        if message["event"] == "failed":
            _resolve(box.started, SandboxError(message["reason"]))
        else:
            box.killed_by = message["signal"]
        box.ended.set()
        box.frozen.set()

    def _on_end(self) -> None:
        assert self._control
        asyncio.get_running_loop().remove_reader(self._control)
        self._control.close()
        self._control = None
        _resolve(self._ready, EOFError())
        for box in self._boxes.values():
            _resolve(box.started, SandboxError("the sandbox's first process has ended"))
            box.ended.set()
            box.frozen.set()
        self._boxes.clear()

    async def close(self) -> None:
        """End the zygote and with it every box."""
        if self._control:
            self._on_end()
        if not self._process:
            return
        try:
            await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _last_words(said: IO[bytes]) -> str:
    said.seek(0)
    text = said.read(10_000).decode(errors="replace").strip()
    return text.rsplit("\n", 1)[-1] or "the sandbox's first process ended at once"


def _resolve(future: asyncio.Future[None] | None, problem: Exception | None = None) -> None:
    if future is None or future.done():
        return
    if problem:
        future.set_exception(problem)
        # Nobody may be waiting any more.
        future.exception()
    else:
        future.set_result(None)


def _enlarge(pipe: int) -> None:
    """Fewer wake-ups for much output; the default size does when the user's quota is used up."""
    try:
        fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE_BYTES)
    except OSError:
        return


def _environment(files: Path) -> dict[str, str]:
    """All that the zygote sees of the host's environment, which holds keys."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/nonexistent",
        "TMPDIR": str(files),
        "MPLCONFIGDIR": str(files / "matplotlib"),
        # Arrow's own allocators reserve a gigabyte of address space in every process.
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "OPENBLAS_NUM_THREADS": str(min(os.cpu_count() or 1, _THREADS_AT_MOST)),
    }


def readable_directories() -> list[Path]:
    """Where the running interpreter and its packages are."""
    wanted = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent}
    wanted |= {Path(entry) for entry in sys.path if "site-packages" in entry}
    wanted |= {Path(entry) for entry in sys.path if "dist-packages" in entry}
    existing = sorted(path for path in wanted if path.is_dir())
    return [path for path in existing if not _covered(path, existing)]


def _covered(path: Path, others: Sequence[Path]) -> bool:
    return any(path != other and path.is_relative_to(other) for other in others)
