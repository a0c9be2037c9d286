"""Giving up root for good, with everything the sandbox needs still readable."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from lib.tools.code_interpreter.sandbox import linux

SANDBOX_USER = 59_701
"""User and group id of all sandboxed code when the program is started by root."""


class CannotDropRootError(Exception):
    """Files needed by unprivileged code are readable by root alone. The text names the remedy."""


def become_unprivileged(needed: Sequence[Path]) -> None:
    """Leave root for SANDBOX_USER, able to read `needed`; does nothing when not root."""
    if os.geteuid() != 0:
        return
    hidden = [path for path in needed if not _open_to_all(path)]
    if hidden:
        _uncover(hidden)
    os.setgroups([])
    os.setresgid(SANDBOX_USER, SANDBOX_USER, SANDBOX_USER)
    os.setresuid(SANDBOX_USER, SANDBOX_USER, SANDBOX_USER)
    _check_readable(needed)


def _open_to_all(path: Path) -> bool:
    return _closed_ancestor(path) is None


def _closed_ancestor(path: Path) -> Path | None:
    """The topmost directory on the way to `path` that strangers cannot pass."""
    for directory in (*reversed(path.parents), path):
        if not directory.stat().st_mode & stat.S_IXOTH:
            return directory
    return None


def _uncover(hidden: Sequence[Path]) -> None:
    """Show `hidden` at their own paths, and nothing beside them, to this process alone.

    Each closed directory is covered by an empty one; what is needed is mounted back into it.
    """
    closed = {ancestor for path in hidden if (ancestor := _closed_ancestor(path))}
    try:
        linux.unshare(linux.CLONE_NEWNS)
        linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
        handles = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in sorted(hidden)}
        for directory in sorted(closed):
            options = "mode=755,size=1m"
            linux.mount("tmpfs", str(directory), "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options)
        for path, handle in handles.items():
            path.mkdir(parents=True, exist_ok=True)
            linux.mount(f"/proc/self/fd/{handle}", str(path), None, linux.MS_BIND | linux.MS_REC)
    except OSError:
        raise _cannot_read(hidden[0]) from None


def _check_readable(needed: Sequence[Path]) -> None:
    for path in needed:
        if not os.access(path, os.X_OK):
            raise _cannot_read(path)


def _cannot_read(path: Path) -> CannotDropRootError:
    return CannotDropRootError(
        f"started by root, and {path} cannot be read by the unprivileged user that code runs as: "
        f"start the program as an ordinary user, or install Python outside root's own directory"
    )
