"""Takes files out of a directory that hostile code has written, without trusting any of them."""

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lib.tools.code_interpreter.events import OutputFile
from lib.tools.code_interpreter.limits import MIB, Limits
from lib.tools.code_interpreter.sandbox import linux

DEEPEST = 32
"""Levels of directories below /mnt/data that are looked into."""
_BENEATH = linux.RESOLVE_BENEATH | linux.RESOLVE_NO_SYMLINKS | linux.RESOLVE_NO_MAGICLINKS
_LONGEST_NAME = 512
_NOTES_AT_MOST = 10

Snapshot = dict[bytes, tuple[int, int, int, int]]
"""Relative path -> (inode, size, modification and change time in ns)."""


class UnsafeFileError(Exception):
    """A file is not what it should be. The text says what it is."""


class TooDeepError(Exception):
    """Directories nest deeper than is looked into."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing found in a directory tree, which may be anything."""

    path: bytes
    status: os.stat_result


def walk(root: Path) -> Iterator[Entry]:
    """Everything below `root`, following no link. Raises TooDeepError and PermissionError."""
    pending: list[tuple[bytes, int]] = [(b"", 0)]
    anchor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while pending:
            path, depth = pending.pop()
            if depth > DEEPEST:
                raise TooDeepError
            for entry in _entries(anchor, path):
                yield entry
                if stat.S_ISDIR(entry.status.st_mode):
                    pending.append((entry.path, depth + 1))
    finally:
        os.close(anchor)


def _entries(anchor: int, path: bytes) -> Iterator[Entry]:
    try:
        flags = os.O_RDONLY | os.O_DIRECTORY
        directory = linux.openat2(anchor, path or b".", flags, _BENEATH)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                name = os.fsencode(entry.name)
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield Entry(path + b"/" + name if path else name, status)
    finally:
        os.close(directory)


def snapshot(root: Path) -> Snapshot:
    """What is there now, to tell later what is new."""
    return {entry.path: _identity(entry.status) for entry in walk(root)}


def collect(
    root: Path, before: Snapshot, limits: Limits, target: Path
) -> tuple[list[OutputFile], list[str]]:
    """Copy new and changed files to `target`: the copies, and a sentence for each left out."""
    files: list[OutputFile] = []
    problems: list[str] = []
    try:
        changed = sorted(_changed(root, before), key=lambda entry: entry.status.st_mtime_ns)
    except (TooDeepError, PermissionError):
        return [], ["a directory cannot be read or lies too deep: no files were taken"]
    for entry in changed:
        name = printable(entry.path)
        left = limits.disk_bytes - sum(file.size for file in files)
        if len(files) >= limits.output_files:
            problems.append(f"{name} and later files: at most {limits.output_files} are kept")
            break
        try:
            files.append(_take(root, entry.path, name, min(limits.file_bytes, left), target))
        except UnsafeFileError as problem:
            problems.append(f"{name}: {problem}")
        except OSError as problem:
            problems.append(f"{name}: {problem.strerror}")
    return files, _shortened(problems)


def added(root: Path, before: Snapshot) -> list[bytes]:
    """New and changed files, and new directories without naming what is inside them."""
    found: list[bytes] = []
    pending: list[bytes] = [b""]
    anchor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while pending:
            for entry in _entries(anchor, pending.pop()):
                if entry.path not in before:
                    found.append(entry.path)
                elif stat.S_ISDIR(entry.status.st_mode):
                    pending.append(entry.path)
                elif before[entry.path] != _identity(entry.status):
                    found.append(entry.path)
    finally:
        os.close(anchor)
    return found


def _changed(root: Path, before: Snapshot) -> Iterator[Entry]:
    for entry in walk(root):
        is_directory = stat.S_ISDIR(entry.status.st_mode)
        if not is_directory and before.get(entry.path) != _identity(entry.status):
            yield entry


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _shortened(problems: list[str]) -> list[str]:
    if len(problems) <= _NOTES_AT_MOST:
        return problems
    return [*problems[:_NOTES_AT_MOST], f"and {len(problems) - _NOTES_AT_MOST} more"]


def _take(root: Path, path: bytes, name: str, most: int, target: Path) -> OutputFile:
    if len(path) > _LONGEST_NAME:
        raise UnsafeFileError("its name is too long")
    copy = target / uuid.uuid4().hex
    with open_safely(root, path, most) as source, copy.open("xb") as sink:
        left = most
        # Its size was checked, but whoever wrote it may still be writing.
        while chunk := source.read(min(left, MIB)):
            sink.write(chunk)
            left -= len(chunk)
    return OutputFile(name, most - left, copy)


def open_safely(root: Path, path: bytes, most: int) -> BinaryIO:
    """A regular file of at most `most` bytes below `root`, by no link of any kind.

    Raises UnsafeFileError, or OSError when it cannot be opened.
    """
    anchor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Non-blocking, or a pipe without a writer would hold the host for ever.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY
        handle = linux.openat2(anchor, path, flags, _BENEATH)
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            raise UnsafeFileError("it is a symbolic link") from None
        raise
    finally:
        os.close(anchor)
    try:
        _check(os.fstat(handle), most)
    except UnsafeFileError:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def _check(status: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeFileError("it is not a regular file")
    if status.st_nlink != 1:
        raise UnsafeFileError("it is a hard link")
    if status.st_size > most:
        raise UnsafeFileError("it is larger than what may be kept")


def printable(path: bytes) -> str:
    """The path as text that is safe to show: no control characters, no broken encoding."""
    text = path.decode("utf-8", errors="replace")
    return "".join(character if character.isprintable() else "_" for character in text)
