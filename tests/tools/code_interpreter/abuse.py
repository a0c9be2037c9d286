"""The host that attacks are aimed at, and how it is told that one succeeded.

Every attack runs against the same live targets: a secret in a file and in the environment,
another thread's files, listening sockets, and a process of the very user that code runs as.
"""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lib.tools.code_interpreter.interpreter import CodeInterpreter
from lib.tools.code_interpreter.sandbox.privileges import SANDBOX_USER
from tests.tools.code_interpreter.conftest import run

PRELUDE = """
import ctypes, os, sys, socket, subprocess, signal, time, pathlib, threading
def attempt(action, *arguments, **options):
    try:
        result = action(*arguments, **options)
        print('attempted:', repr(result)[:2000])
        return result
    except BaseException as error:
        print('attempted:', type(error).__name__, str(error)[:300])
libc = ctypes.CDLL(None, use_errno=True)
def syscall(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *arguments)
    return result if result >= 0 else OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def everything():
    for top, _directories, names in os.walk('/'):
        for name in names:
            yield os.path.join(top, name)
"""


@dataclass
class World:
    """Targets on the host. `harm` names everything that an attack did to them."""

    directory: Path
    other_thread: str
    token: str = field(default_factory=lambda: f"token-{uuid.uuid4().hex}")

    def __post_init__(self) -> None:
        self.directory.mkdir()
        self.env_file = self.directory / ".env"
        self.env_file.write_text(f"OPENAI_API_KEY={self.token}\n")
        # The harder case: nothing but the sandbox stands in the way.
        self.env_file.chmod(0o666)
        self.directory.chmod(0o777)
        os.environ["ABUSE_CANARY"] = self.token
        self.reached: list[str] = []
        self._open: list[socket.socket] = []
        self.tcp = self._listen(socket.AF_INET, ("127.0.0.1", 0))[1]
        self.tcp6 = self._listen(socket.AF_INET6, ("::1", 0))[1]
        self.unix = str(self.directory / "host.sock")
        self._listen(socket.AF_UNIX, self.unix)
        Path(self.unix).chmod(0o777)
        self.abstract = f"\0abuse-{uuid.uuid4().hex}"
        self._listen(socket.AF_UNIX, self.abstract)
        self.udp = self._receive_datagrams()
        self.victim = self._start_victim()
        self._before = self._state()

    def _listen(self, family: int, address: object) -> tuple[str, int]:
        server = socket.socket(family, socket.SOCK_STREAM)
        server.bind(address)  # type: ignore[arg-type]
        server.listen()
        self._open.append(server)

        def accept() -> None:
            try:
                server.accept()
                self.reached.append(f"connection to {address!r}")
            except OSError:
                return

        threading.Thread(target=accept, daemon=True).start()
        name = server.getsockname()
        return (str(name[0]), int(name[1])) if isinstance(name, tuple) else (str(name), 0)

    def _receive_datagrams(self) -> int:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        self._open.append(server)

        def receive() -> None:
            try:
                server.recv(100)
                self.reached.append("datagram")
            except OSError:
                return

        threading.Thread(target=receive, daemon=True).start()
        return int(server.getsockname()[1])

    def _start_victim(self) -> "subprocess.Popen[bytes]":
        user = SANDBOX_USER if os.geteuid() == 0 else None
        return subprocess.Popen(["sleep", "600"], user=user, group=user, env={"KEY": self.token})

    def _state(self) -> dict[str, object]:
        status = self.env_file.stat()
        pid = self.victim.pid
        return {
            "content of .env": self.env_file.read_text(),
            "mode of .env": stat.filemode(status.st_mode),
            "times of .env": status.st_mtime_ns,
            "links to .env": status.st_nlink,
            "owner of .env": status.st_uid,
            "files beside .env": _names_in(self.directory),
            "processors of the victim": os.sched_getaffinity(pid),
            "priority of the victim": os.getpriority(os.PRIO_PROCESS, pid),
            "limits of the victim": Path(f"/proc/{pid}/limits").read_text(),
            "victim stopped": "T (stopped)" in Path(f"/proc/{pid}/status").read_text(),
            "host's shared memory": _shared_files_of_boxes(),
            "host's shared segments": _shared_memory_of_boxes(),
            "host name": socket.gethostname(),
            "interpreter": Path(sys.executable).resolve().stat().st_mode,
        }

    def variables(self) -> str:
        """The targets' addresses, told to the attacking code: it need not guess."""
        names = {
            "ENV_FILE": str(self.env_file),
            "OUTSIDE": str(self.directory),
            "TCP": ("127.0.0.1", self.tcp),
            "TCP6": ("::1", self.tcp6),
            "UDP": ("127.0.0.1", self.udp),
            "UNIX": self.unix,
            "ABSTRACT": self.abstract,
            "VICTIM": self.victim.pid,
            "HOST": os.getpid(),
            "OTHER": self.other_thread,
            "X86": os.uname().machine == "x86_64",
        }
        return "".join(f"{name} = {value!r}\n" for name, value in names.items())

    def harm(self, shown: bytes) -> list[str]:
        """What an attack achieved; `shown` is all that came out of it."""
        found = list(self.reached)
        if self.token.encode() in shown:
            found.append("the secret was read")
        if self.victim.poll() is not None:
            return [*found, "the victim was killed"]
        after = self._state()
        changed = [name for name, value in self._before.items() if after[name] != value]
        return [*found, *changed]

    def other_is_intact(self) -> bool:
        return Path(self.other_thread).read_text() == self.token

    def close(self) -> None:
        self.victim.send_signal(signal.SIGKILL)
        self.victim.wait()
        for server in self._open:
            server.close()
        os.environ.pop("ABUSE_CANARY", None)


def _user_of_boxes() -> int:
    return SANDBOX_USER if os.geteuid() == 0 else os.geteuid()


def _shared_files_of_boxes() -> list[str]:
    """Shared memory that the sandbox's user made; other programs come and go with theirs."""
    found = []
    for path in Path("/dev/shm").iterdir():
        with suppress(FileNotFoundError):
            if path.lstat().st_uid == _user_of_boxes():
                found.append(path.name)
    return sorted(found)


def _shared_memory_of_boxes() -> list[str]:
    """The same of System V's segments."""
    heading, *segments = Path("/proc/sysvipc/shm").read_text().splitlines()
    column = heading.split().index("cuid")
    return [line for line in segments if line.split()[column] == str(_user_of_boxes())]


def _names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def build_world(directory: Path, interpreter: CodeInterpreter, files: Path) -> World:
    """Targets, one of them a file of another thread of the same interpreter."""
    key = f"thread_other_{uuid.uuid4().hex}"
    other = await interpreter.session(key)
    world = World(directory, str(files / "kept" / key / "secret.txt"))
    await run(other, f"SECRET = {world.token!r}\nopen('secret.txt', 'w').write(SECRET);")
    return world
