"""A process with the libraries imported, whose forks become the Python workers of boxes.

It never runs a user's code itself. It answers requests on its standard input, a socket with one
JSON message a packet, and stays the parent of every worker, so that no process id it signals can
be stale.
"""

import gc
import json
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lib.tools.code_interpreter import worker
from lib.tools.code_interpreter.limits import Limits
from lib.tools.code_interpreter.sandbox import (
    bubblewrap,
    landlock,
    linux,
    process_tree,
    scheduling,
    seccomp,
)

MAX_PACKET = 16 * 1024
_CHANNEL_FD = 250
_OPEN_FILES = 256
_FREEZE_ATTEMPTS = 20
_FREEZE_PAUSE = 0.0001
"""Seconds before the first look again; each later pause is twice as long, up to 26 ms."""
_ROOM_FOR_OTHERS = 64
"""Processes of the same user that may come and go outside a box without its own namespaces."""
_LIBRARIES = (
    "numpy",
    "pandas",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_agg",
)


@dataclass(frozen=True, slots=True)
class Config:
    """What the zygote is told once. With a `bwrap` program boxes are bubblewrap's."""

    bwrap: str | None
    files: Path
    """The directory that holds every box's own one."""
    readable: list[Path]
    """Directories of the interpreter and its packages."""
    limits: Limits = field(default_factory=Limits)

    def as_json(self) -> dict[str, Any]:
        return {
            "bwrap": self.bwrap,
            "files": str(self.files),
            "readable": [str(path) for path in self.readable],
            "limits": asdict(self.limits),
        }

    @classmethod
    def from_json(cls, text: str) -> "Config":
        values = json.loads(text)
        return cls(
            values["bwrap"],
            Path(values["files"]),
            [Path(path) for path in values["readable"]],
            Limits(**values["limits"]),
        )


def python_running(module: str) -> list[str]:
    """The command that runs `main` of a sibling module, away from the user's Python settings."""
    root = str(Path(__file__).parents[4])
    package = __name__.rpartition(".")[0]
    program = (
        f"import sys; sys.path.insert(0, {root!r}); from {package}.{module} import main; main()"
    )
    return [sys.executable, "-I", "-B", "-c", program]


@dataclass(slots=True)
class _Box:
    """`keeper` is the bubblewrap process that holds the namespaces; None in the other tier."""

    number: int
    directory: Path
    """Holds the box's own `tmp` and `shm`."""
    data: Path
    """What the box sees as /mnt/data."""
    channel: int
    output: int
    keeper: subprocess.Popen[bytes] | None = None
    worker: int | None = None
    init: int | None = None
    init_handle: int | None = None
    """A pidfd of `init`, which is not our child."""

    def close_files(self) -> None:
        """Close the zygote's own copies of the box's channel and output."""
        for fd in (self.channel, self.output):
            if fd >= 0:
                os.close(fd)
        self.channel = self.output = -1


class Zygote:
    def __init__(self, config: Config, control: socket.socket) -> None:
        self._config = config
        self._control = control
        self._boxes: dict[int, _Box] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, self._on_request)

    def serve(self) -> None:
        """Answer requests until the host closes the control socket; then end every box."""
        self._control.send(b'{"event": "ready"}')
        while True:
            for key, _events in self._selector.select():
                callback: Callable[[], None] = key.data
                callback()
            _reap_orphans(self._boxes)

    def _on_request(self) -> None:
        packet, fds, _flags, _address = socket.recv_fds(self._control, MAX_PACKET, 2)
        if not packet:
            self._end()
        request = json.loads(packet)
        number = request["box"]
        if request["do"] == "create":
            channel, output = fds
            directory, data = Path(request["directory"]), Path(request["data"])
            self._create(_Box(number, directory, data, channel, output))
        elif number in self._boxes:
            self._signal(self._boxes[number], request["do"])

    def _end(self) -> None:
        for box in list(self._boxes.values()):
            self._destroy(box)
        os._exit(0)

    def _create(self, box: _Box) -> None:
        self._boxes[box.number] = box
        try:
            if self._config.bwrap:
                self._start_keeper(box)
            else:
                self._start_worker(box)
        except OSError as problem:
            self._failed(box, str(problem))

    def _failed(self, box: _Box, reason: str) -> None:
        self._tell(box, "failed", reason=reason[:1000])
        self._destroy(box)

    def _tell(self, box: _Box, event: str, **details: object) -> None:
        message = {"event": event, "box": box.number, **details}
        try:
            self._control.send(json.dumps(message).encode())
        except OSError:
            self._end()

    def _start_keeper(self, box: _Box) -> None:
        """Start an empty box; the worker follows when it is ready."""
        assert self._config.bwrap
        info_read, info_write = os.pipe()
        with tempfile.TemporaryFile(dir=box.directory) as program:
            program.write(seccomp.bubblewrap_filter())
            program.seek(0)
            arguments = bubblewrap.box(
                self._config.bwrap,
                self._config.readable,
                box.data,
                box.directory,
                info_write,
                program.fileno(),
            )
            box.keeper = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={},
                pass_fds=(info_write, program.fileno()),
            )
        os.close(info_write)
        assert box.keeper.stdout
        self._selector.register(
            box.keeper.stdout,
            selectors.EVENT_READ,
            lambda: self._on_keeper_line(box, info_read),
        )

    def _on_keeper_line(self, box: _Box, info_fd: int) -> None:
        assert box.keeper
        assert box.keeper.stdout
        line = os.read(box.keeper.stdout.fileno(), 1000)
        self._selector.unregister(box.keeper.stdout)
        box.keeper.stdout.close()
        info = os.read(info_fd, 10_000)
        os.close(info_fd)
        if line != b"ready\n":
            self._failed(box, line.decode(errors="replace").strip() or "bubblewrap ended")
            return
        box.init = int(json.loads(info)["child-pid"])
        try:
            box.init_handle = os.pidfd_open(box.init)
            self._start_worker(box)
        except OSError as problem:
            self._failed(box, str(problem))

    def _start_worker(self, box: _Box) -> None:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            _in_fork(lambda: self._step_inside(box, write), write)
        os.close(write)
        box.close_files()
        with os.fdopen(read, "rb") as pipe:
            answer = json.loads(pipe.readline() or b'{"problem": "the worker died at its start"}')
            problem = answer.get("problem") or pipe.read(1000).decode()
        box.worker = answer.get("pid")
        if box.init:
            os.waitpid(child, 0)
        if problem or not box.worker:
            raise OSError(problem)
        self._watch(box)
        self._tell(box, "started", worker=box.worker, init=box.init)

    def _step_inside(self, box: _Box, write: int) -> None:
        """In the fork: go into the namespaces, if any, and become the worker there."""
        Path("/proc/self/oom_score_adj").write_text("1000")
        scheduling.begin_group()
        if not box.init:
            os.write(write, json.dumps({"pid": os.getpid()}).encode() + b"\n")
            self._become_worker(box, write)
        bubblewrap.enter(box.init or 0)
        inside = os.fork()
        if inside:
            os.write(write, json.dumps({"pid": inside}).encode() + b"\n")
            os._exit(0)
        os.setpgid(0, 0)
        self._become_worker(box, write)

    def _become_worker(self, box: _Box, write: int) -> None:
        channel = _arrange_files(box, write)
        if self._config.bwrap:
            data = Path(worker.DATA)
            temporary = Path("/tmp")
        else:
            data, temporary = box.data, box.directory / "tmp"
        os.chdir(data)
        _set_environment(temporary)
        self._limit_resources()
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
        if self._config.bwrap:
            linux.drop_capabilities()
            linux.install_seccomp(seccomp.bubblewrap_filter())
        else:
            self._confine_without_namespaces(data, temporary)
        sys.path[:] = ["", *(path for path in sys.path if path != _product_root())]
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(_CHANNEL_FD + 1)
        worker.serve(channel)

    def _confine_without_namespaces(self, data: Path, temporary: Path) -> None:
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        landlock.confine(self._config.readable, [data, temporary])
        scoped = linux.landlock_abi() >= landlock.SCOPED_SIGNALS_ABI
        linux.install_seccomp(seccomp.landlock_filter(None if scoped else os.getpid()))

    def _limit_resources(self) -> None:
        limits = self._config.limits
        processes = limits.processes
        if not self._config.bwrap:
            # Without its own user namespace the kernel counts all processes of the user.
            processes += process_tree.tasks_of_user(os.getuid()) + _ROOM_FOR_OTHERS
        # What the fork was born with is mostly reserved and never used.
        space = limits.memory_bytes + process_tree.address_space(os.getpid())
        for what, value in (
            (resource.RLIMIT_AS, space),
            (resource.RLIMIT_NPROC, processes),
            (resource.RLIMIT_FSIZE, limits.file_bytes),
            (resource.RLIMIT_NOFILE, _OPEN_FILES),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_MEMLOCK, 64 * 1024),
            (resource.RLIMIT_MSGQUEUE, 0),
        ):
            resource.setrlimit(what, (value, value))

    def _watch(self, box: _Box) -> None:
        assert box.worker
        pidfd = os.pidfd_open(box.worker)
        self._selector.register(
            pidfd, selectors.EVENT_READ, lambda: self._on_worker_end(box, pidfd)
        )

    def _on_worker_end(self, box: _Box, pidfd: int) -> None:
        self._selector.unregister(pidfd)
        os.close(pidfd)
        assert box.worker
        status = os.waitid(os.P_PID, box.worker, os.WEXITED | os.WNOWAIT)
        killed_by = None
        if status and status.si_code != os.CLD_EXITED:
            killed_by = status.si_status
        self._destroy(box)
        self._tell(box, "ended", signal=killed_by)

    def _signal(self, box: _Box, what: str) -> None:
        if what == "kill":
            self._kill(box)
        elif what == "interrupt":
            _signal_group(box, signal.SIGINT)
        elif what == "resume":
            self._resume(box)
        elif self._freeze(box):
            self._tell(box, "frozen")
        else:
            self._kill(box)

    def _freeze(self, box: _Box) -> bool:
        """Stop every process of the box; False when they will not stand still."""
        _signal_group(box, signal.SIGSTOP)
        for attempt in range(_FREEZE_ATTEMPTS):
            moving = [pid for pid in self._processes(box) if not process_tree.is_stopped(pid)]
            if not moving:
                return True
            for pid in moving:
                _signal_one(pid, signal.SIGSTOP)
            time.sleep(_FREEZE_PAUSE * 2 ** min(attempt, 8))
        return False

    def _resume(self, box: _Box) -> None:
        for pid in self._processes(box):
            _signal_one(pid, signal.SIGCONT)

    def _processes(self, box: _Box) -> list[int]:
        """All of them: the two that hold a box open can be taken over from inside."""
        assert box.worker
        return process_tree.members(box.worker, box.init, os.getpid())

    def _kill(self, box: _Box) -> None:
        _signal_group(box, signal.SIGKILL)
        if box.init_handle is not None:
            # It is asked to die with its parent, but that can be undone from inside.
            _kill_by_handle(box.init_handle)
        if box.keeper:
            box.keeper.kill()

    def _destroy(self, box: _Box) -> None:
        """Kill what is left while the worker's id is still its own, then let go of it."""
        self._kill(box)
        self._boxes.pop(box.number, None)
        box.close_files()
        if box.worker:
            _await_group(box.worker)
            box.worker = None
        if box.keeper:
            box.keeper.wait()
            assert box.keeper.stdin
            box.keeper.stdin.close()
        if box.init_handle is not None:
            os.close(box.init_handle)
            box.init_handle = None


def _in_fork(action: Callable[[], None], write: int) -> None:
    """Never returns: what goes wrong before the worker serves is told through the pipe."""
    try:
        action()
    except BaseException as problem:
        try:
            os.write(write, json.dumps({"problem": str(problem)}).encode() + b"\n")
        except OSError:
            os.write(_CHANNEL_FD + 1, str(problem).encode())
    os._exit(1)


def _arrange_files(box: _Box, write: int) -> socket.socket:
    """Leave open: nothing to read, the output twice, the channel, the pipe for start problems."""
    nothing = os.open("/dev/null", os.O_RDONLY)
    for source, target in (
        (box.channel, _CHANNEL_FD),
        (write, _CHANNEL_FD + 1),
        (nothing, 0),
        (box.output, 1),
        (box.output, 2),
    ):
        os.dup2(source, target, inheritable=target < _CHANNEL_FD)
    os.closerange(3, _CHANNEL_FD)
    os.closerange(_CHANNEL_FD + 2, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return socket.socket(fileno=_CHANNEL_FD)


def _set_environment(temporary: Path) -> None:
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "1")
    os.environ.clear()
    os.environ.update(
        PATH=f"{Path(sys.executable).parent}:/usr/bin:/bin",
        HOME=str(temporary),
        TMPDIR=str(temporary),
        MPLCONFIGDIR=str(temporary),
        MPLBACKEND="Agg",
        LANG="C.UTF-8",
        PYTHONDONTWRITEBYTECODE="1",
        OPENBLAS_NUM_THREADS=threads,
    )
    tempfile.tempdir = None


def _product_root() -> str:
    return str(Path(__file__).parents[4])


def _signal_group(box: _Box, number: signal.Signals) -> None:
    if not box.worker:
        return
    try:
        os.killpg(box.worker, number)
    except ProcessLookupError:
        # It has left its own group; as long as nobody waited for it, its id is its own.
        _signal_one(box.worker, number)


def _kill_by_handle(handle: int) -> None:
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        return


def _await_group(leader: int) -> None:
    """Collect a killed process group whole: orphans of its processes become ours as these end."""
    try:
        os.waitpid(leader, 0)
        while True:
            os.waitpid(-leader, 0)
    except ChildProcessError:
        return


def _signal_one(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _reap_orphans(boxes: dict[int, _Box]) -> None:
    """Collect ended processes that no box waits for by itself."""
    own = {pid for box in boxes.values() for pid in (box.worker, box.keeper and box.keeper.pid)}
    for pid in process_tree.children(os.getpid()):
        if pid in own:
            continue
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue


def _import_libraries() -> None:
    for name in _LIBRARIES:
        __import__(name)
    worker.warm_up()
    gc.collect()
    gc.freeze()


def main() -> None:
    config = Config.from_json(sys.argv[1])
    control = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _import_libraries()
    Zygote(config, control).serve()
