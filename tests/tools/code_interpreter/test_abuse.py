"""Attacks from inside. Each proves by the host's own state that nothing came of it."""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from lib.tools.code_interpreter.events import Done
from lib.tools.code_interpreter.interpreter import CodeInterpreter
from lib.tools.code_interpreter.sandbox.probe import Tier
from lib.tools.code_interpreter.session import Session
from tests.tools.code_interpreter.abuse import PRELUDE, World, build_world
from tests.tools.code_interpreter.conftest import LIMITS, Outcome, run

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True)
class Attack:
    name: str
    why: str
    code: str
    forbidden: str = ""
    """Text that would show a success which the host's state does not."""


ATTACKS = [
    # --- the host's files -------------------------------------------------------------------
    Attack("read .env", "it holds keys", "attempt(lambda: open(ENV_FILE).read())"),
    Attack(
        "numpy reads .env",
        "native code opens files too",
        "import numpy as np\nattempt(lambda: np.fromfile(ENV_FILE, dtype='u1').tobytes())",
    ),
    Attack(
        "pandas reads .env",
        "a library as deputy",
        "import pandas as pd\nattempt(lambda: pd.read_csv(ENV_FILE).to_string())",
    ),
    Attack(
        "a shell reads .env",
        "another program as deputy",
        "attempt(lambda: subprocess.run(['cat', ENV_FILE], capture_output=True))",
    ),
    Attack(
        "way up from the data",
        "a path with ..",
        "attempt(lambda: open('/mnt/data' + '/..' * 9 + ENV_FILE).read())",
    ),
    Attack(
        "symbolic link to .env",
        "a link made by the code itself",
        "os.symlink(ENV_FILE, 'link.txt')\nattempt(lambda: open('link.txt').read())",
    ),
    Attack(
        "hard link to .env",
        "a link that needs no later look-up",
        "attempt(os.link, ENV_FILE, 'hard.txt')\nattempt(lambda: open('hard.txt').read())",
    ),
    Attack(
        "O_PATH handle of .env",
        "a handle that no rule may have judged",
        """
fd = attempt(os.open, ENV_FILE, os.O_PATH)
if fd is not None:
    attempt(os.open, f'/proc/self/fd/{fd}', os.O_RDONLY)
    attempt(lambda: syscall(265 if X86 else 37, fd, b'', -100, b'hard.txt', 0x1000))
    attempt(lambda: open('hard.txt').read())""",
    ),
    Attack(
        "overwrite .env",
        "writing needs no reading",
        "attempt(lambda: open(ENV_FILE, 'w').write('owned'))",
    ),
    Attack(
        "append to .env",
        "another way of writing",
        "attempt(lambda: open(ENV_FILE, 'a').write('owned'))",
    ),
    Attack("truncate .env", "by path, without opening", "attempt(os.truncate, ENV_FILE, 0)"),
    Attack("delete .env", "removal", "attempt(os.unlink, ENV_FILE)"),
    Attack("rename .env", "moving away", "attempt(os.rename, ENV_FILE, ENV_FILE + '.old')"),
    Attack(
        "move .env into the data",
        "stealing by renaming",
        "attempt(os.rename, ENV_FILE, '/mnt/data/stolen')\n"
        "attempt(lambda: open('/mnt/data/stolen').read())",
    ),
    Attack(
        "replace .env",
        "renaming over it",
        "open('mine', 'w').write('owned')\nattempt(os.replace, 'mine', ENV_FILE)",
    ),
    Attack("chmod .env", "Landlock does not know it", "attempt(os.chmod, ENV_FILE, 0)"),
    Attack(
        "chmod .env by raw calls",
        "past Python's wrappers",
        """
for number in ([90, 268, 452] if X86 else [53, 452]):
    attempt(lambda: syscall(number, *([ENV_FILE.encode(), 0] if number == 90
                                       else [-100, ENV_FILE.encode(), 0, 0])))""",
    ),
    Attack("chown .env", "Landlock does not know it", "attempt(os.chown, ENV_FILE, 1, 1)"),
    Attack("utime of .env", "Landlock does not know it", "attempt(os.utime, ENV_FILE, (1, 1))"),
    Attack(
        "attribute on .env",
        "extended attributes",
        "attempt(os.setxattr, ENV_FILE, 'user.owned', b'1')",
    ),
    Attack("file beside .env", "creating", "attempt(lambda: open(OUTSIDE + '/x', 'w'))"),
    Attack("directory beside .env", "creating", "attempt(os.mkdir, OUTSIDE + '/x')"),
    Attack("link beside .env", "creating", "attempt(os.symlink, '/', OUTSIDE + '/x')"),
    Attack(
        "list .env's directory", "names tell as well", "attempt(os.listdir, OUTSIDE)", "host.sock"
    ),
    Attack(
        "another thread's file",
        "threads belong to different people",
        "attempt(lambda: open(OTHER).read())",
    ),
    Attack(
        "another thread's file, changed",
        "and written",
        "attempt(lambda: open(OTHER, 'w').write('owned'))",
    ),
    Attack(
        "search of the whole disk",
        "whatever lies open anywhere",
        """
def search():
    for path in everything():
        if path.startswith(('/usr', '/proc', '/sys', '/lib', sys.base_prefix, sys.prefix)):
            continue
        try:
            if os.path.getsize(path) < 100_000 and os.path.isfile(path):
                if b'token-' in open(path, 'rb').read():
                    return open(path).read()
        except OSError:
            continue
attempt(search)""",
    ),
    Attack(
        "/etc/passwd", "the host's users", "attempt(lambda: open('/etc/passwd').read())", "root:"
    ),
    Attack(
        "/etc/shadow",
        "the host's password hashes",
        "attempt(lambda: open('/etc/shadow').read())",
        "root:",
    ),
    Attack(
        "write into the packages",
        "code that others will run",
        "import numpy\nattempt(lambda: open(numpy.__file__, 'a').write(' '))\n"
        "attempt(lambda: open(os.path.dirname(numpy.__file__) + '/x.py', 'w'))\n"
        "print('exists', os.path.exists(os.path.dirname(numpy.__file__) + '/x.py'))",
        "exists True",
    ),
    Attack(
        "overwrite the interpreter",
        "by its own executable",
        """
attempt(lambda: open('/proc/self/exe', 'r+b'))
attempt(lambda: open(os.path.realpath(sys.executable), 'r+b'))
attempt(os.chmod, '/proc/self/exe', 0)
attempt(os.chmod, os.path.realpath(sys.executable), 0)
attempt(os.utime, '/proc/self/exe', (1, 1))""",
    ),
    Attack(
        "write to the system",
        "/usr",
        "attempt(lambda: open('/usr/bin/x', 'w'))\n"
        "attempt(os.mkdir, '/usr/owned')\nattempt(lambda: open('/x', 'w'))\n"
        "print('made', os.path.exists('/usr/owned'), os.path.exists('/x'))",
        "made True",
    ),
    Attack(
        "raw open by ctypes",
        "no Python in between",
        """
buffer = ctypes.create_string_buffer(4096)
fd = libc.open(ENV_FILE.encode(), 0)
attempt(lambda: (fd, libc.read(fd, buffer, 4096), buffer.value))""",
    ),
    Attack(
        "openat2 by number",
        "the newest way of opening",
        """
import struct
fd = syscall(437, -100, ENV_FILE.encode(), struct.pack('QQQ', 0, 0, 0), 24)
attempt(lambda: os.read(fd, 100))""",
    ),
    Attack(
        "open by handle",
        "files by inode, around all paths",
        """
handle = ctypes.create_string_buffer(136)
ctypes.memmove(handle, (128).to_bytes(4, 'little'), 4)
attempt(lambda: syscall(303 if X86 else 264, -100, ENV_FILE.encode(), handle,
                        ctypes.byref(ctypes.c_int()), 0))
root = os.open('/mnt/data', os.O_RDONLY)
fd = attempt(lambda: syscall(304 if X86 else 265, root, handle, 0))
attempt(lambda: os.read(fd, 100))""",
    ),
    # --- environment and /proc --------------------------------------------------------------
    Attack(
        "own environment", "it is inherited unless cleared", "attempt(lambda: dict(os.environ))"
    ),
    Attack(
        "environment of every process",
        "/proc tells it to the same user",
        """
def scan():
    found = []
    for pid in os.listdir('/proc') if os.path.isdir('/proc') else range(1, 5000):
        for name in ('environ', 'cmdline', 'maps', 'cwd/.env', 'root' + ENV_FILE):
            try:
                found.append(open(f'/proc/{pid}/{name}', 'rb').read())
            except OSError:
                pass
    return b''.join(found)[-1500:]
attempt(scan)
for pid in range(1, 40000):
    try:
        print(open(f'/proc/{pid}/environ').read())
    except OSError:
        pass""",
    ),
    Attack(
        "root of another process",
        "/proc/PID/root leads elsewhere",
        """
for pid in (1, 2, HOST, VICTIM, os.getppid()):
    attempt(lambda: open(f'/proc/{pid}/root{ENV_FILE}').read())
    attempt(lambda: open(f'/proc/{pid}/cwd{ENV_FILE}').read())""",
    ),
    Attack(
        "memory of another process",
        "/proc/PID/mem",
        """
for pid in (HOST, VICTIM):
    attempt(lambda: open(f'/proc/{pid}/mem', 'r+b'))""",
        "BufferedRandom",
    ),
    Attack(
        "code into the box's own keeper",
        "a neighbour without the worker's filter?",
        """
keepers = [p for p in (1, 2) if os.access(f'/proc/{p}/status', os.R_OK)]
for pid in keepers:
    status = attempt(lambda: open(f'/proc/{pid}/status').read()) or 'Seccomp:\t2'
    print('filtered' if 'Seccomp:\t2' in status else f'{pid} is unfiltered')
attempt(lambda: keepers)""",
        "unfiltered",
    ),
    Attack(
        "files of another process",
        "/proc/PID/fd",
        """
for pid in (1, HOST, VICTIM, os.getppid()):
    for fd in range(0, 20):
        try:
            print(open(f'/proc/{pid}/fd/{fd}', 'rb', buffering=0).read(0))
            print('opened', pid, fd)
        except OSError:
            pass
attempt(lambda: None)""",
        f"opened {os.getpid()}",
    ),
    Attack(
        "kernel settings",
        "/proc/sys",
        "attempt(lambda: "
        "open('/proc/sys/kernel/core_pattern', 'w').write('|/bin/sh'))\n"
        "attempt(lambda: open('/proc/sysrq-trigger', 'w').write('c'))",
    ),
    Attack(
        "user and group maps",
        "becoming root in the namespace",
        "attempt(lambda: open('/proc/self/uid_map', 'w').write('0 0 1'))\n"
        "attempt(os.setuid, 0)\nattempt(os.setresuid, 0, 0, 0)\nprint('now', os.getuid())",
        "now 0",
    ),
    # --- network ----------------------------------------------------------------------------
    Attack(
        "TCP to the host",
        "services that trust this machine",
        "attempt(socket.create_connection, TCP, 2)",
    ),
    Attack("TCP over IPv6", "the other family", "attempt(socket.create_connection, TCP6, 2)"),
    Attack(
        "UDP to the host",
        "no connection needed",
        "attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', UDP))",
    ),
    Attack(
        "unix socket by path",
        "the Docker socket is one",
        """
def connect():
    s = socket.socket(socket.AF_UNIX); s.connect(UNIX); return 'connected'
attempt(connect)""",
        "connected",
    ),
    Attack(
        "unix socket, abstract",
        "it has no path that could be hidden",
        """
def connect():
    s = socket.socket(socket.AF_UNIX); s.connect(ABSTRACT); return 'connected'
attempt(connect)""",
        "connected",
    ),
    Attack(
        "a socketpair turned around",
        "a socket that may exist, connected anew",
        """
a, b = socket.socketpair()
attempt(lambda: a.connect(ABSTRACT))
attempt(lambda: a.sendto(b'x', ABSTRACT))
attempt(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', UNIX))""",
    ),
    Attack(
        "every family of sockets",
        "netlink, packet, vsock, alg, bluetooth and the rest",
        """
made = []
for family in range(0, 64):
    for kind in (1, 2, 3, 5):
        if syscall(41 if X86 else 198, family, kind, 0).__class__ is int:
            made.append((family, kind))
attempt(lambda: print('made', made))""",
        "made [(",
    ),
    Attack(
        "DNS",
        "names carry data out",
        "attempt(socket.getaddrinfo, 'example.com', 80)",
        "SOCK_STREAM",
    ),
    Attack(
        "download",
        "the internet",
        "import urllib.request\nattempt(lambda: "
        "urllib.request.urlopen('http://%s:%d/' % TCP, timeout=2))",
    ),
    Attack(
        "32-bit system calls",
        "another table of numbers",
        """
import mmap
if X86:
    area = mmap.mmap(-1, 4096, prot=7)
    area.write(bytes.fromhex('53b867010000bb02000000b901000000ba00000000cd805bc3'))
    call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(area)))
    print('socket by int 0x80:', 'made' if call() >= 0 else 'refused')
attempt(lambda: None)""",
        "0x80: made",
    ),
    Attack(
        "x32 system calls",
        "a third table of numbers",
        "attempt(lambda: print('x32', syscall(0x40000000 + 41, 2, 1, 0)))",
        "x32 3",
    ),
    Attack(
        "io_uring",
        "a second way to every call",
        "attempt(lambda: print('ring', syscall(425, 8, ctypes.create_string_buffer(120))))",
        "ring 3",
    ),
    # --- other processes --------------------------------------------------------------------
    Attack(
        "kill the victim",
        "a process of the same user",
        """
for number in (9, 15, 19):
    attempt(os.kill, VICTIM, number)""",
    ),
    Attack(
        "kill everybody",
        "-1 means all one may signal",
        """
print('attempted', flush=True)
if os.fork() == 0:
    os.kill(-1, 9)
time.sleep(0.5)""",
    ),
    Attack(
        "kill the host's group",
        "by process group",
        "attempt(os.killpg, HOST, 19)\nattempt(os.kill, os.getppid(), 9)",
    ),
    Attack(
        "signals by other calls",
        "tkill, sigqueue, pidfd",
        """
for call in ([200, VICTIM, 9], [234, VICTIM, VICTIM, 9], [129, VICTIM, 9, b'\\0' * 128]):
    attempt(lambda: syscall(*call))
fd = attempt(os.pidfd_open, VICTIM)
attempt(lambda: signal.pidfd_send_signal(fd, 9))""",
    ),
    Attack(
        "signal by a file's owner",
        "SIGIO goes where F_SETOWN says",
        """
import fcntl
a, b = socket.socketpair()
attempt(fcntl.fcntl, a, 8, VICTIM)
attempt(fcntl.fcntl, a, 10, 9)
attempt(fcntl.fcntl, a, fcntl.F_SETFL, os.O_ASYNC)
b.send(b'x')
time.sleep(0.1)""",
    ),
    Attack(
        "ptrace the victim",
        "control over its memory",
        "attempt(lambda: syscall(101 if X86 else 117, 16, VICTIM, 0, 0))\n"
        "attempt(lambda: syscall(101 if X86 else 117, 0x4206, VICTIM, 0, 0))",
    ),
    Attack(
        "read the victim's memory",
        "process_vm_readv",
        "attempt(lambda: syscall(310 if X86 else 270, VICTIM, 0, 0, 0, 0, 0))",
        "attempted: 0",
    ),
    Attack(
        "limits of the victim",
        "prlimit reaches others",
        """
import resource
for pid in (VICTIM, HOST):
    attempt(resource.prlimit, pid, resource.RLIMIT_NOFILE, (3, 3))""",
    ),
    Attack("processors of the victim", "affinity", "attempt(os.sched_setaffinity, VICTIM, {0})"),
    Attack(
        "priority of the victim",
        "nice and scheduler",
        "attempt(os.setpriority, "
        "os.PRIO_PROCESS, VICTIM, 19)\nattempt(os.setpriority, os.PRIO_USER, os.getuid(), 19)\n"
        "attempt(os.sched_setscheduler, VICTIM, os.SCHED_IDLE, os.sched_param(0))",
    ),
    Attack(
        "as much time as the host",
        "a session of its own weighs as much as any other",
        """
def group():
    try:
        return open('/proc/self/autogroup').read()
    except OSError:
        return 'no group to be seen'
# The kernel changes ten groups a second: a box made together with others gets its turn later.
for _ in range(100):
    if 'nice 0' not in group(): break
    time.sleep(0.1)
attempt(os.nice, -5)
attempt(os.setsid)
attempt(lambda: open('/proc/self/autogroup', 'w').write('0'))
print(group())
print('has nice', os.nice(0))""",
        "nice 0",
    ),
    Attack(
        "raise own limits",
        "a hard limit is not for raising",
        """
import resource
for what in (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE):
    attempt(resource.setrlimit, what, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(what, 'raised' if resource.getrlimit(what)[1] == resource.RLIM_INFINITY else 'held')""",
        "raised",
    ),
    # --- the kernel -------------------------------------------------------------------------
    Attack(
        "mounts",
        "another view of the disk",
        """
attempt(lambda: print('mount', libc.mount(b'/', b'/mnt/data', None, 4096, None)))
attempt(lambda: print('mount', libc.mount(b'proc', b'/mnt/data', b'proc', 0, None)))
attempt(lambda: print('umount', libc.umount2(b'/mnt/data', 2)))
attempt(lambda: print('fsopen', syscall(430, b'tmpfs', 0)))
attempt(lambda: print('open_tree', syscall(428, -100, b'/', 1)))""",
        "mount 0",
    ),
    Attack(
        "namespaces",
        "root in a world of one's own",
        """
for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000):
    attempt(lambda: print('unshare', libc.unshare(flag)))
attempt(lambda: print('clone', syscall(56 if X86 else 220, 0x10000000 | 17, 0, 0, 0, 0)))
attempt(lambda: print('clone3', syscall(435, ctypes.create_string_buffer(88), 88)))""",
        "unshare 0",
    ),
    Attack(
        "join namespaces of others",
        "setns",
        "fd = attempt(os.open, f'/proc/{HOST}/ns/mnt', os.O_RDONLY)\n"
        "attempt(lambda: print('setns', libc.setns(fd or 0, 0)))",
        "setns 0",
    ),
    Attack(
        "chroot and pivot_root",
        "moving the root",
        "attempt(os.chroot, '/mnt/data')\n"
        "attempt(lambda: print('pivot', syscall(155 if X86 else 41, b'.', b'.')))",
        "pivot 0",
    ),
    Attack(
        "device files",
        "the disk itself",
        """
attempt(os.mknod, 'disk', 0o600 | 0o060000, os.makedev(254, 0))
attempt(os.mknod, 'memory', 0o600 | 0o020000, os.makedev(1, 1))
for name in ('/dev/kvm', '/dev/mem', '/dev/vda', '/dev/sda', '/dev/fuse', '/dev/net/tun'):
    attempt(lambda: print('device', open(name, 'rb')))""",
        "device <",
    ),
    Attack(
        "dangerous calls",
        "each is an entry to the kernel or to others",
        """
calls = {'bpf': 321, 'perf_event_open': 298, 'userfaultfd': 323, 'keyctl': 250, 'add_key': 248,
         'memfd_create': 319, 'shmget': 29, 'msgget': 68, 'semget': 64, 'mq_open': 240,
         'init_module': 175, 'kexec_load': 246, 'reboot': 169, 'swapon': 167, 'personality': 135,
         'sethostname': 170, 'settimeofday': 164, 'quotactl': 179, 'syslog': 103, 'acct': 163,
         'fanotify_init': 300, 'kcmp': 312, 'name_to_handle_at': 303, 'iopl': 172,
         'future': 600}
if X86:
    for name, number in calls.items():
        result = syscall(number, 1, 1, 1, 1, 1, 1)
        refused = isinstance(result, OSError) and result.errno in (1, 38)
        print(name, 'refused' if refused else f'allowed: {result}')
attempt(lambda: None)""",
        "allowed",
    ),
    Attack(
        "type into the terminal",
        "TIOCSTI",
        """
import fcntl
for name in ('/dev/tty', '/dev/console', 0, 1):
    try:
        fd = name if isinstance(name, int) else os.open(name, os.O_RDWR)
        attempt(fcntl.ioctl, fd, 0x5412, b'x')
    except OSError as error:
        attempt(lambda: error)""",
    ),
    Attack(
        "new privileges",
        "setuid programs",
        """
attempt(lambda: [line for line in open('/proc/self/status') if line.startswith('CapEff')])
attempt(lambda: subprocess.run('su -c id root; sudo -n id; passwd -S', shell=True,
                               capture_output=True, text=True).stdout)
print('no new privileges:', libc.prctl(39, 0, 0, 0, 0))""",
        "uid=0",
    ),
    Attack(
        "hide from the limits",
        "an undumpable process cannot be counted",
        "attempt(lambda: print('hidden', libc.prctl(4, 0, 0, 0, 0)))",
        "hidden 0",
    ),
    # --- untrusted data ---------------------------------------------------------------------
    Attack(
        "pickle that runs a command",
        "loading is running: still only inside",
        """
import pickle
class Evil:
    def __reduce__(self): return (os.system, (f'cat {ENV_FILE}; echo owned > {ENV_FILE}',))
attempt(lambda: pickle.loads(pickle.dumps(Evil())))""",
    ),
    Attack(
        "worker's own memory",
        "whatever the zygote left behind",
        """
import gc
texts = [str(o)[:500] for o in gc.get_objects() if isinstance(o, dict)]
attempt(lambda: [t for t in texts if 'OPENAI_API_KEY' in t])
import re
try:
    for line in open('/proc/self/maps'):
        m = re.match(r'(\\w+)-(\\w+) rw', line)
        if m:
            with open('/proc/self/mem', 'rb', 0) as memory:
                memory.seek(int(m[1], 16))
                data = memory.read(int(m[2], 16) - int(m[1], 16))
                for hit in re.findall(rb'OPENAI_API_KEY=token-\\w+|ABUSE_CANARY=\\S+', data):
                    print(hit)
except OSError as error:
    print(error)
attempt(lambda: None)""",
    ),
    Attack(
        "open handles from the start",
        "descriptors that were left open",
        """
for fd in range(3, 256):
    try:
        os.fstat(fd)
        attempt(lambda: (fd, os.readlink(f'/proc/self/fd/{fd}')))
        attempt(lambda: os.read(os.open('..' + ENV_FILE, os.O_RDONLY, dir_fd=fd), 100))
    except OSError:
        pass
attempt(lambda: None)""",
    ),
    Attack(
        "handles sent by sockets",
        "passing descriptors around",
        "a, b = socket.socketpair()\nattempt(lambda: socket.send_fds(a, [b'x'], [0]))",
        "attempted: 1",
    ),
    Attack(
        "shared memory with the host",
        "POSIX shared memory",
        """
from multiprocessing import shared_memory
attempt(lambda: shared_memory.SharedMemory('abuse', create=True, size=100).name)""",
    ),
]


@contextmanager
def open_directory() -> Iterator[Path]:
    """Not below pytest's own, which is closed to other users: here only a sandbox helps."""
    with tempfile.TemporaryDirectory(prefix="abuse-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(
    interpreter: CodeInterpreter,
) -> AsyncIterator[World]:
    with open_directory() as directory:
        world = await build_world(directory / "open", interpreter, interpreter.files)
        yield world
        world.close()


def all_that_came_out(outcome: Outcome) -> bytes:
    return b"".join([outcome.text.encode(), *outcome.images, *outcome.files.values()])


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_nothing_comes_of_it(session: Session, world: World, attack: Attack) -> None:
    await run(session, PRELUDE + world.variables())

    outcome = await run(session, attack.code)

    shown = all_that_came_out(outcome)
    assert b"attempted" in shown, f"the attack did not even run: {outcome.text}"
    assert world.harm(shown) == [], f"{attack.why}: {outcome.text}"
    assert not attack.forbidden or attack.forbidden not in outcome.text, attack.why
    assert world.other_is_intact(), "another thread's file was changed"


_BY_TIME = ("Variables are kept", "The cell was stopped", "stopped after", "heed the interrupt")


@dataclass(frozen=True)
class Exhaustion:
    name: str
    why: str
    code: str
    said: str
    """Pattern that the output must match: how the attack was stopped."""

    @property
    def wall_seconds(self) -> float:
        """Short where time alone stops it; else long enough for a busy machine."""
        return 2 if any(words in self.said for words in _BY_TIME) else 18


EXHAUSTIONS = [
    Exhaustion(
        "memory in one piece", "an allocation of a terabyte", "bytearray(1 << 40)", "MemoryError"
    ),
    Exhaustion(
        "memory bit by bit",
        "many allocations",
        "hoard = []\nwhile True: hoard.append(bytearray(1 << 24))",
        "MemoryError|more than 1024 MB of memory",
    ),
    Exhaustion(
        "memory in many processes",
        "each below its own limit",
        """
for _child in range(12):
    if os.fork() == 0:
        hoard = os.urandom(1 << 20) * 200
        time.sleep(30)
time.sleep(30)""",
        "more than 1024 MB of memory",
    ),
    Exhaustion(
        "memory shared between processes",
        "it belongs to nobody's heap",
        """
import mmap
areas = []
for _number in range(40):
    areas.append(mmap.mmap(-1, 1 << 26))
    areas[-1].write(b'x' * (1 << 26))""",
        "more than 1024 MB of memory|MemoryError|Cannot allocate",
    ),
    Exhaustion(
        "disk by large files",
        "the host's disk",
        """
for number in range(100):
    open(f'{number}.bin', 'wb').write(bytes(30 << 20))""",
        "more than 128 MB of disk",
    ),
    Exhaustion(
        "disk by one file",
        "beyond the largest single file",
        "f = open('big', 'wb')\nwhile True: f.write(bytes(1 << 20))",
        "File too large",
    ),
    Exhaustion(
        "disk by reservation",
        "space without writing",
        "for n in range(9): os.posix_fallocate(os.open(f'{n}', 66), 0, 60 << 20)\ntime.sleep(9)",
        "more than 128 MB of disk",
    ),
    Exhaustion(
        "disk under /tmp",
        "beside the counted directory?",
        """
import tempfile
for number in range(100):
    open(f'{tempfile.gettempdir()}/{number}.bin', 'wb').write(bytes(30 << 20))""",
        "more than 128 MB of disk",
    ),
    Exhaustion(
        "disk by deleted files",
        "a file without a name is still there",
        """
held = []
for number in range(100):
    held.append(open('x', 'wb')); os.unlink('x')
    held[-1].write(bytes(30 << 20)); held[-1].flush()""",
        "more than 128 MB of disk",
    ),
    Exhaustion(
        "disk by deleted, mapped files",
        "not even a handle is left",
        """
import mmap
held = []
for number in range(40):
    with open('x', 'w+b') as f:
        f.truncate(30 << 20); held.append(mmap.mmap(f.fileno(), 30 << 20)); os.unlink('x')
    for at in range(0, 30 << 20, 4096): held[-1][at] = 1""",
        "more than 128 MB of disk|more than 1024 MB of memory",
    ),
    Exhaustion(
        "inodes",
        "empty files fill a disk too",
        "for n in range(10 ** 6): open(str(n), 'w').close()",
        "more than 2000 files",
    ),
    Exhaustion(
        "directories",
        "so do directories",
        "for n in range(10 ** 6): os.mkdir(str(n))",
        "more than 2000 files",
    ),
    Exhaustion(
        "links",
        "and links",
        "for n in range(10 ** 6): os.symlink('/', str(n))",
        "more than 2000 files",
    ),
    Exhaustion(
        "bottomless directories",
        "tools that clean up may not reach the bottom",
        "while True:\n    os.mkdir('d'); os.chdir('d')",
        "directories more than 32 deep",
    ),
    Exhaustion(
        "processes",
        "a fork bomb",
        """
def bomb():
    while True:
        try: os.fork()
        except OSError: pass
bomb()""",
        "more than 64 processes|The session ended|The cell was stopped",
    ),
    Exhaustion(
        "threads",
        "a bomb of threads",
        "while True: threading.Thread(target=time.sleep, args=(60,)).start()",
        "can't start new thread|more than 64 processes",
    ),
    Exhaustion(
        "open files",
        "handles",
        "held = [open('/dev/null') for _ in range(10 ** 6)]",
        "Too many open files",
    ),
    Exhaustion("time in Python", "an endless loop", "while True: pass", "Variables are kept"),
    Exhaustion(
        "time in native code",
        "it never looks for interrupts",
        "import re\nre.match('(a+)+$', 'a' * 60 + 'b')",
        "stopped after",
    ),
    Exhaustion(
        "time, refusing interrupts",
        "it catches them",
        """
while True:
    try:
        time.sleep(9)
    except KeyboardInterrupt: pass""",
        "heed the interrupt",
    ),
    Exhaustion(
        "time, asleep",
        "sleeping costs nothing, but holds the run",
        "time.sleep(1000)",
        "Variables are kept",
    ),
    Exhaustion(
        "time, drip by drip",
        "some output keeps coming",
        "while True:\n    print('.', end='', flush=True); time.sleep(0.05)",
        "Variables are kept",
    ),
    Exhaustion(
        "1 GB of output",
        "it all goes through the host",
        """
block = b'x' * (1 << 20)
for _number in range(1024): os.write(1, block)
print('all written')""",
        "Output cut here|The cell was stopped",
    ),
    Exhaustion(
        "endless lines",
        "small writes",
        "while True: print('y')",
        "Output cut here|The cell was stopped",
    ),
    Exhaustion(
        "output without line ends or letters",
        "not text at all",
        "while True: os.write(1, os.urandom(65536))",
        "Output cut here|The cell was stopped",
    ),
    Exhaustion(
        "endless figures",
        "images are kept as files",
        """
import matplotlib.pyplot as plt
for n in range(30):
    plt.figure(figsize=(1, 1)); plt.plot([n]); plt.show()
plt.figure(figsize=(1, 1));""",
        "At most 20 figures",
    ),
    Exhaustion(
        "image bomb",
        "a picture of 40 gigapixels",
        "import matplotlib.pyplot as plt\nplt.figure(figsize=(2000, 2000));",
        "MemoryError|too large|ValueError|bad allocation|Error|memory",
    ),
    Exhaustion(
        "image bomb as PNG",
        "small as a file, huge when decoded",
        """
import struct, zlib
class Bomb:
    def _repr_png_(self):
        head = struct.pack('!IIBBBBB', 60000, 60000, 8, 2, 0, 0, 0)
        def chunk(t, d):
            return struct.pack('!I', len(d)) + t + d + struct.pack('!I', zlib.crc32(t + d))
        chunks = chunk(b'IHDR', head) + chunk(b'IDAT', b'') + chunk(b'IEND', b'')
        return b'\\x89PNG\\r\\n\\x1a\\n' + chunks
Bomb()""".replace("\\\\", "\\"),
        "too large to be shown",
    ),
    Exhaustion(
        "no image at all",
        "HTML instead of a PNG",
        """
class Fake:
    def _repr_png_(self): return b'<script>alert(1)</script>'
Fake()""",
        "too large to be shown",
    ),
]


@pytest.mark.parametrize("attack", EXHAUSTIONS, ids=lambda attack: attack.name)
async def test_nothing_is_used_up(session: Session, world: World, attack: Exhaustion) -> None:
    await run(session, PRELUDE + world.variables())

    outcome = await run(session, attack.code, wall_seconds=attack.wall_seconds)
    after = await run(session, "1 + 1")

    assert re.search(attack.said, outcome.text), f"{attack.why}: {outcome.text[-500:]}"
    assert len(outcome.text.encode()) < LIMITS.output_bytes * 3 + 500
    assert len(outcome.images) <= LIMITS.images
    assert after.text.endswith("2\n")
    assert world.harm(all_that_came_out(outcome)) == []


async def test_what_broke_the_disk_limits_is_removed_and_the_rest_is_kept(
    session: Session,
) -> None:
    await session.put("input.csv", b"precious")

    outcome = await run(session, "import os\nwhile True:\n    os.mkdir('d'); os.chdir('d')")
    after = await run(session, "import os\nprint(os.listdir(), open('input.csv').read())")

    assert "files that this cell made are removed" in outcome.text
    assert after.text.endswith("['input.csv'] precious\n")


LEFTOVERS = [
    (
        "a daemon",
        "a child that leaves its parents, session and group",
        """
import os, time
if os.fork() == 0:
    try: os.setsid()
    except OSError: pass
    if os.fork() == 0:
        while True:
            open('beat', 'a').write('x'); time.sleep(0.01)
    os._exit(0)
time.sleep(0.3)""",
    ),
    (
        "a thread",
        "it lives in the worker itself",
        """
import threading, time
def beat():
    while True:
        open('beat', 'a').write('x'); time.sleep(0.01)
threading.Thread(target=beat, daemon=True).start()
time.sleep(0.3)""",
    ),
    (
        "a shell in the background",
        "another program",
        """
import subprocess, time
subprocess.Popen('trap "" HUP INT TERM; while true; do echo x >> beat; sleep 0.01; done',
                 shell=True)
time.sleep(0.3)""",
    ),
    (
        "the first process of the box",
        "whoever holds the box open can be taken over from inside",
        r"""
import os, re, time
# An endless loop (jmp $) is written over the code that waits for children.
for pid in (1, 2):
    try:
        for line in open(f'/proc/{pid}/maps'):
            area = re.match(r'(\w+)-(\w+) r-xp', line)
            if area and 'vdso' not in line:
                with open(f'/proc/{pid}/mem', 'r+b', 0) as memory:
                    size = int(area[2], 16) - int(area[1], 16)
                    memory.seek(int(area[1], 16))
                    memory.write(b'\xeb\xfe' * (size // 2))
    except OSError:
        pass
if os.fork() == 0:
    while True:
        open('beat', 'a').write('x'); time.sleep(0.01)
time.sleep(0.3)""",
    ),
    (
        "a process that continues its stopped brothers",
        "SIGCONT undoes SIGSTOP",
        """
import os, signal, time
for _brother in range(6):
    if os.fork() == 0:
        while True:
            open('beat', 'a').write('x')
            try: os.kill(-1, signal.SIGCONT)
            except OSError: pass
time.sleep(0.3)""",
    ),
]


@pytest.mark.parametrize(("name", "why", "code"), LEFTOVERS, ids=[row[0] for row in LEFTOVERS])
async def test_nothing_goes_on_after_the_cell(
    interpreter: CodeInterpreter, name: str, why: str, code: str
) -> None:
    key = f"thread_leftover_{name.replace(' ', '_')}"
    session = await interpreter.session(key)

    await run(session, code)
    # The answer does not wait for the box to stand still; it does so at once after it.
    await asyncio.sleep(0.3)
    beat = interpreter.files / "kept" / key / "beat"
    size = beat.stat().st_size
    await asyncio.sleep(0.5)

    assert size > 0
    assert beat.stat().st_size == size, why
    await interpreter.delete(key)


async def test_no_process_and_no_directory_outlives_its_session(tier: Tier, files: Path) -> None:
    async with CodeInterpreter(files, tier, LIMITS) as interpreter:
        before = _names_in(files / "boxes")
        for number, (_name, _why, code) in enumerate(LEFTOVERS):
            session = await interpreter.session(f"thread_{number}")
            await run(session, code)
            await session.close()
        left = set(_names_in(files / "boxes")) - set(before)
        running = _processes_using(files)

    assert len(left) <= 3, "one box waits for the next thread, with its data"
    assert len(running) <= 5, running
    assert _processes_using(files) == []


def _names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def _processes_using(files: Path) -> list[str]:
    """Processes whose command, working directory or open files lie under `files`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            links = [entry / "cwd", *(entry / "fd").iterdir()]
            if any(str(files) in str(link.readlink()) for link in links):
                found.append((entry / "cmdline").read_text())
        except OSError:
            continue
    return found


CHANNEL = """
import os, socket, struct, json, time
channel = socket.socket(fileno=os.dup(250))
frame = lambda body: struct.pack('!I', len(body)) + body
"""
JUNK = [
    ("random bytes", "no frame at all", "channel.sendall(os.urandom(100_000))"),
    (
        "a length of 4 GB",
        "memory for a frame that never comes",
        "channel.sendall(b'\\xff' * 4 + b'x' * 1000)",
    ),
    ("no JSON", "bytes that do not parse", "channel.sendall(frame(b'\\xff\\x00{'))"),
    ("JSON, but no object", "a list", "channel.sendall(frame(b'[1]'))"),
    ("JSON without end", "nesting beyond any parser", "channel.sendall(frame(b'[' * 16000))"),
    (
        "a number without end",
        "digits beyond any parser",
        "channel.sendall(frame(b'{\"cell\": ' + b'9' * 16000 + b'}'))",
    ),
    (
        "NaN and strange types",
        "fields of the wrong type",
        'channel.sendall(frame(b\'{"type": "done", "cell": NaN, "ok": "yes"}\'))',
    ),
    (
        "an end of another cell",
        "a forged number",
        "channel.sendall(frame(json.dumps({'type': 'done', 'cell': 999, 'ok': True}).encode()))",
    ),
    (
        "an image of negative size",
        "arithmetic with signs",
        'channel.sendall(frame(b\'{"type": "image", "size": -5}\'))',
    ),
    (
        "an image of boolean size",
        "True is an integer in Python",
        'channel.sendall(frame(b\'{"type": "image", "size": true}\'))',
    ),
    (
        "an image without end",
        "an exabyte announced and never sent",
        'channel.sendall(frame(b\'{"type": "image", "size": 1000000000000000000}\'))\n'
        "time.sleep(30)",
    ),
    ("half a frame", "the rest never comes", "channel.sendall(b'\\0\\0')\ntime.sleep(30)"),
    (
        "drip by drip",
        "one byte at a time, for ever",
        "for byte in frame(b' ' * 16000):\n    channel.sendall(bytes([byte])); time.sleep(0.05)",
    ),
    (
        "a closed channel",
        "the worker cannot answer any more",
        "channel.shutdown(socket.SHUT_RDWR)\ntime.sleep(30)",
    ),
]


@pytest.mark.parametrize(("name", "why", "code"), JUNK, ids=[row[0] for row in JUNK])
async def test_junk_on_the_workers_channel_ends_only_that_session(
    session: Session, world: World, name: str, why: str, code: str
) -> None:
    outcome = await run(session, CHANNEL + code, wall_seconds=1.5)
    after = await run(session, "1 + 1")

    assert not outcome.done.ok, f"{name}: {why}"
    assert after.text.endswith("2\n"), why
    assert world.harm(all_that_came_out(outcome)) == []


async def test_a_forged_end_fools_nobody_but_the_forger(session: Session) -> None:
    forged = "channel.sendall(frame(json.dumps({'type': 'done', 'cell': 1, 'ok': True}).encode()))"

    first = await run(session, CHANNEL + forged + "\nfor _ in range(50): open('f', 'a').write('x')")
    second = await run(session, "1 + 1")
    third = await run(session, "2 + 2")

    assert first.done.ok
    assert third.text.endswith("4\n"), second.text


SABOTAGE = [
    ("standard output closed", "import os\nos.close(1); os.close(2)"),
    ("standard output replaced", "import sys\nsys.stdout = sys.stderr = None"),
    (
        "a hostile standard output",
        "import sys\nclass S:\n"
        "    def write(self, t): raise SystemExit\n    flush = write\nsys.stdout = S()",
    ),
    (
        "builtins removed",
        "import builtins\nfor name in ('print', 'repr', 'len', 'isinstance'):\n"
        "    setattr(builtins, name, None)",
    ),
    (
        "modules replaced",
        "import sys\nfor name in ('json', 'ast', 'traceback', 'matplotlib'):\n"
        "    sys.modules[name] = None",
    ),
    (
        "the worker's functions replaced",
        "import sys\nfor name in list(sys.modules):\n"
        "    if 'worker' in name: sys.modules[name].__dict__.clear()",
    ),
    (
        "a hostile error",
        "class E(BaseException):\n    __str__ = __repr__ = None\n"
        "    __traceback__ = property(lambda s: 1/0)\nraise E",
    ),
    ("a hostile value", "class V:\n    def __repr__(self): import os; os._exit(1)\nV()"),
    (
        "a trace function",
        "import sys\ndef t(*a): raise SystemExit\nsys.settrace(t)\nsys.setprofile(t)",
    ),
    ("an exit hook", "import atexit, time\natexit.register(time.sleep, 100)\nraise SystemExit"),
    ("the recursion limit", "import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()"),
    ("the collector's callbacks", "import gc\ngc.callbacks.append(lambda *a: 1/0)\ngc.collect()"),
]


@pytest.mark.parametrize(("name", "code"), SABOTAGE, ids=[row[0] for row in SABOTAGE])
async def test_a_sabotaged_worker_harms_only_itself(
    session: Session, world: World, name: str, code: str
) -> None:
    outcome = await run(session, code, wall_seconds=2)
    for _cell in range(2):
        after = await run(session, "40 + 2", wall_seconds=2)

    assert isinstance(outcome.done, Done), name
    assert isinstance(after.done, Done), name
    await session.close()
    fresh = await run(session, "40 + 2")
    assert fresh.text.endswith("42\n")
    assert world.harm(all_that_came_out(outcome)) == []


PLANTED = [
    ("a link to .env", "os.symlink(ENV_FILE, 'out.csv')", "out.csv: it is a symbolic link"),
    ("a link to another thread", "os.symlink(OTHER, 'out.csv')", "out.csv: it is a symbolic link"),
    ("a linked directory", "os.symlink(OUTSIDE, 'out')", "out: it is a symbolic link"),
    ("a link by ..", "os.symlink('../../../..' + ENV_FILE, 'out.csv')", "symbolic link"),
    ("a link to the environment", "os.symlink('/proc/self/environ', 'out')", "symbolic link"),
    ("two names of one file", "open('a', 'w').write('x'); os.link('a', 'b')", "hard link"),
    ("a pipe", "attempt(os.mkfifo, 'pipe')", ""),
    (
        "a sparse file of 60 MB each",
        "for n in range(9): os.truncate(os.open(f'{n}', 66), 60 << 20)",
        "larger than what may be kept",
    ),
    ("many files", "for n in range(100): open(f'{n}', 'w').write('x')", "at most 20"),
    ("a name with line breaks", "open('a\\nFAKE: b\\x1b[2J', 'w').write('x')", ""),
    ("a name that is no text", "open(b'\\xff\\xfe', 'w').write('x')", ""),
    (
        "a zip bomb",
        "import zipfile\nwith zipfile.ZipFile('bomb.zip', 'w', 8) as z:\n"
        "    z.writestr('zeros', bytes(60 << 20))",
        "",
    ),
    (
        "files swapped while they are collected",
        """
def swap():
    while True:
        for make in (lambda: open('swap', 'w').write('x'), lambda: os.symlink(ENV_FILE, 'swap')):
            try: os.unlink('swap')
            except OSError: pass
            make()
for _ in range(3):
    if os.fork() == 0: swap()
time.sleep(0.3)""",
        "",
    ),
    (
        "the data directory itself",
        "attempt(os.rmdir, '/mnt/data')\n"
        "attempt(os.rename, '/mnt/data', '/mnt/gone')\nopen('still', 'w').write('here')",
        "",
    ),
]


@pytest.mark.parametrize(("name", "code", "said"), PLANTED, ids=[row[0] for row in PLANTED])
async def test_planted_files_bring_nothing_out(
    session: Session, world: World, name: str, code: str, said: str
) -> None:
    await run(session, PRELUDE + world.variables())

    outcome = await run(session, code)

    assert said in outcome.text
    assert world.harm(all_that_came_out(outcome)) == [], name
    assert len(outcome.files) <= LIMITS.output_files
    assert sum(map(len, outcome.files.values())) <= LIMITS.disk_bytes
    assert all(file.name.isprintable() for file in outcome.done.files)


async def test_the_attacks_work_where_nothing_stops_them(world: World, tmp_path: Path) -> None:
    """Or the suite would prove nothing: outside, the same code reaches the same targets."""
    names = ("read .env", "TCP to the host", "unix socket, abstract", "UDP to the host")
    code = "".join(attack.code + "\n" for attack in ATTACKS if attack.name in names)
    command = [sys.executable, "-c", PRELUDE + world.variables() + code]

    shown = await asyncio.to_thread(_output_of, command, tmp_path)
    await asyncio.sleep(1)
    harm = world.harm(shown)
    world.reached.clear()

    assert "the secret was read" in harm
    assert len(harm) == 4, harm


def _output_of(command: list[str], directory: Path) -> bytes:
    return subprocess.run(command, cwd=directory, capture_output=True, check=True).stdout
