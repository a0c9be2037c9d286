"""The kernel calls that Python 3.11 does not offer, as plain functions that raise OSError."""

import ctypes
import os
import platform
import struct
from pathlib import Path

AT_FDCWD = -100

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
ALL_NAMESPACES = (
    CLONE_NEWUSER
    | CLONE_NEWNS
    | CLONE_NEWPID
    | CLONE_NEWNET
    | CLONE_NEWIPC
    | CLONE_NEWUTS
    | CLONE_NEWCGROUP
)

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

PR_SET_PDEATHSIG = 1
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08

_LINUX_CAPABILITY_VERSION_3 = 0x20080522
_SECCOMP_SET_MODE_FILTER = 1
# (x86_64, aarch64); numbers from 424 on are the same everywhere.
_NUMBERS = {
    "capset": (126, 91),
    "seccomp": (317, 277),
    "openat2": (437, 437),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
}
_MACHINES = ("x86_64", "aarch64")

_libc = ctypes.CDLL(None, use_errno=True)


class UnsupportedMachineError(Exception):
    """The processor is neither x86_64 nor aarch64: its system call numbers are not known."""


def machine_index() -> int:
    """Column of this machine in tables of system call numbers: 0 for x86_64, 1 for aarch64."""
    machine = platform.machine()
    if machine not in _MACHINES:
        raise UnsupportedMachineError(f"the sandbox knows x86_64 and aarch64, not {machine}")
    return _MACHINES.index(machine)


def _checked(result: int, name: str) -> int:
    if result >= 0:
        return result
    number = ctypes.get_errno()
    raise OSError(number, f"{name}: {os.strerror(number)}")


def _syscall(name: str, *arguments: object) -> int:
    number = _NUMBERS[name][machine_index()]
    return _checked(int(_libc.syscall(ctypes.c_long(number), *arguments)), name)


def unshare(flags: int) -> None:
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def setns(fd: int, flags: int) -> None:
    """Join namespaces; with a pidfd, all those in `flags` at once."""
    _checked(_libc.setns(ctypes.c_int(fd), ctypes.c_int(flags)), "setns")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    _checked(
        _libc.mount(
            source.encode(),
            target.encode(),
            kind.encode() if kind else None,
            ctypes.c_ulong(flags),
            options.encode(),
        ),
        f"mount {target}",
    )


def prctl(option: int, *arguments: int) -> int:
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    return _checked(_libc.prctl(ctypes.c_int(option), *padded), f"prctl {option}")


def drop_capabilities() -> None:
    """Give up every capability, for this process and all it may ever execute."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in range(last + 1):
        prctl(PR_CAPBSET_DROP, capability)
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = struct.pack("=Ii", _LINUX_CAPABILITY_VERSION_3, 0)
    _syscall("capset", header, struct.pack("=6I", 0, 0, 0, 0, 0, 0))


def install_seccomp(program: bytes) -> None:
    """Filter every system call from now on by a classic BPF program."""
    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    _syscall("seccomp", ctypes.c_uint(_SECCOMP_SET_MODE_FILTER), ctypes.c_uint(0), fprog)


def openat2(directory: int, path: bytes, flags: int, resolve: int, mode: int = 0) -> int:
    """Open `path` under the directory, refusing the ways out that `resolve` names."""
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, mode, resolve)
    return _syscall("openat2", ctypes.c_int(directory), path, how, ctypes.c_size_t(len(how)))


def landlock_abi() -> int:
    """Version of Landlock that the kernel speaks; 0 when it has none."""
    try:
        return _syscall("landlock_create_ruleset", None, ctypes.c_size_t(0), ctypes.c_uint(1))
    except OSError:
        return 0


def landlock_create_ruleset(attributes: bytes) -> int:
    return _syscall(
        "landlock_create_ruleset",
        attributes,
        ctypes.c_size_t(len(attributes)),
        ctypes.c_uint(0),
    )


def landlock_allow_beneath(ruleset: int, fd: int, rights: int) -> None:
    rule = struct.pack("=Qi", rights, fd)
    path_beneath = 1
    _syscall(
        "landlock_add_rule",
        ctypes.c_int(ruleset),
        ctypes.c_int(path_beneath),
        rule,
        ctypes.c_uint(0),
    )


def landlock_restrict_self(ruleset: int) -> None:
    _syscall("landlock_restrict_self", ctypes.c_int(ruleset), ctypes.c_uint(0))
