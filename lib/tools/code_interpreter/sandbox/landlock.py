"""Rules of the kernel's Landlock: which files a process and its children may touch at all."""

import os
import struct
from collections.abc import Sequence
from pathlib import Path

from lib.tools.code_interpreter.sandbox import linux

OLDEST_ABI = 3
"""The first that can refuse to truncate files."""
SCOPED_SIGNALS_ABI = 6

_EXECUTE = 1 << 0
_WRITE_FILE = 1 << 1
_READ_FILE = 1 << 2
_READ_DIR = 1 << 3
_MAKE_CHAR, _MAKE_SOCKET, _MAKE_FIFO, _MAKE_BLOCK = 1 << 6, 1 << 9, 1 << 10, 1 << 11
_IOCTL_DEV = 1 << 15
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""Number of file rights by ABI; 16 from ABI 5 on."""
_NETWORK_RIGHTS = 0b11
_SCOPES = 0b11

_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | (1 << 14) | _IOCTL_DEV
_READ_ONLY = _EXECUTE | _READ_FILE | _READ_DIR
_NEVER = _MAKE_CHAR | _MAKE_SOCKET | _MAKE_FIFO | _MAKE_BLOCK | _IOCTL_DEV | _EXECUTE

_SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/etc/ld.so.cache",
    "/etc/fonts",
    "/etc/localtime",
    "/etc/mime.types",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def confine(readable: Sequence[Path], writable: Sequence[Path]) -> None:
    """Leave this process the system and `readable` to read, `writable` to change, no network."""
    abi = linux.landlock_abi()
    handled = (1 << _FILE_RIGHTS.get(abi, 16)) - 1
    ruleset = linux.landlock_create_ruleset(_attributes(abi, handled))
    for path in (*map(Path, _SYSTEM), *readable):
        _allow(ruleset, path, _READ_ONLY & handled)
    for path in map(Path, _DEVICES):
        _allow(ruleset, path, (_READ_FILE | _WRITE_FILE) & handled)
    for path in writable:
        _allow(ruleset, path, handled & ~_NEVER)
    linux.landlock_restrict_self(ruleset)
    os.close(ruleset)


def _attributes(abi: int, handled: int) -> bytes:
    attributes = struct.pack("=Q", handled)
    if abi >= 4:
        attributes += struct.pack("=Q", _NETWORK_RIGHTS)
    if abi >= SCOPED_SIGNALS_ABI:
        attributes += struct.pack("=Q", _SCOPES)
    return attributes


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        linux.landlock_allow_beneath(ruleset, fd, rights if path.is_dir() else rights & _ON_FILES)
    finally:
        os.close(fd)
