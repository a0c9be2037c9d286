"""What /proc says of running processes: who belongs to whom and what they use.

Looked at before and after every cell, so it goes by bare system calls: `pathlib` takes several
times as long.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_CHUNK = 1 << 16
_DELETED = b" (deleted)"


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums over processes: bytes, seconds, and tasks (threads included)."""

    memory_bytes: int
    cpu_seconds: float
    tasks: int


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in _tasks(pid):
        found += map(int, _read(f"/proc/{pid}/task/{task}/children").split())
    return found


def descendants(roots: Iterable[int]) -> list[int]:
    """The roots and everything below them."""
    found: list[int] = []
    pending = list(roots)
    while pending:
        pid = pending.pop()
        found.append(pid)
        pending += children(pid)
    return found


def members(worker: int, init: int | None, zygote: int) -> list[int]:
    """Every process of a box.

    Inside a process namespace orphans go to its `init`; without one to the zygote, and a process
    group that nobody may leave tells whose they are.
    """
    if init:
        return descendants([worker, init])
    return descendants(pid for pid in children(zygote) if group(pid) == worker)


def group(pid: int) -> int | None:
    """The process group that a process belongs to."""
    fields = _stat(pid)
    return int(fields[2]) if fields else None


def is_stopped(pid: int) -> bool:
    """True for a stopped process, and for one that is gone."""
    fields = _stat(pid)
    return fields is None or fields[0] in b"TtZX"


def usage(pids: Iterable[int]) -> Usage:
    memory, ticks, tasks = 0, 0, 0
    for pid in pids:
        fields = _stat(pid)
        if fields is None:
            continue
        ticks += sum(map(int, fields[11:15]))
        tasks += int(fields[17])
        memory += int(fields[21]) * _PAGE
    return Usage(memory, ticks / _TICKS, tasks)


def exact_memory(pid: int) -> int:
    """Bytes, of pages shared with other processes only its part. Takes a millisecond and more."""
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    fields = _stat(pid)
    return int(fields[21]) * _PAGE if fields else 0


def memory_state(pid: int) -> tuple[bytes, ...]:
    """Changes whenever a process takes, gives back or writes to memory that was not its own."""
    fields = _stat(pid)
    return (fields[19], fields[21], fields[7]) if fields else ()


def address_space(pid: int) -> int:
    """Bytes that a process has mapped, used or not."""
    fields = _stat(pid)
    return int(fields[20]) if fields else 0


def tasks_of_user(uid: int) -> int:
    count = 0
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            if entry.stat().st_uid == uid:
                count += len(_tasks(int(entry.name)))
        except OSError:
            continue
    return count


def open_unlinked(pids: Iterable[int]) -> dict[int, int]:
    """Deleted files that are still open: the disk space of each by its inode."""
    return {inode: size for pid in pids for inode, size in _open_unlinked(pid)}


def mapped_unlinked(pid: int) -> dict[int, int]:
    """Deleted files that are still mapped: the bytes of each by its inode. Takes a millisecond."""
    sizes: dict[int, int] = {}
    for inode, size in _mapped_unlinked(pid):
        sizes[inode] = max(size, sizes.get(inode, 0))
    return sizes


def _open_unlinked(pid: int) -> Iterator[tuple[int, int]]:
    for name in _listed(f"/proc/{pid}/fd"):
        try:
            status = os.stat(f"/proc/{pid}/fd/{name}")  # noqa: PTH116
        except OSError:
            continue
        if status.st_nlink == 0:
            yield status.st_ino, status.st_blocks * 512


def _mapped_unlinked(pid: int) -> Iterator[tuple[int, int]]:
    maps = _read(f"/proc/{pid}/maps")
    if _DELETED not in maps:
        return
    for line in maps.splitlines():
        fields = line.split(maxsplit=5)
        if not line.endswith(_DELETED) or fields[5].startswith(b"/dev/zero"):
            continue
        start, _dash, end = fields[0].partition(b"-")
        yield int(fields[4]), int(end, 16) - int(start, 16)


def _tasks(pid: int) -> list[str]:
    return _listed(f"/proc/{pid}/task")


def _stat(pid: int) -> list[bytes] | None:
    """Fields of /proc/pid/stat from the third (state) on; None when the process is gone."""
    text = _read(f"/proc/{pid}/stat")
    return text.rpartition(b")")[2].split() or None


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208
    except OSError:
        return []


def _read(path: str) -> bytes:
    """What a file of /proc says; nothing when its process is gone."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    chunks: list[bytes] = []
    try:
        while chunk := os.read(handle, _CHUNK):
            chunks.append(chunk)
    except OSError:
        return b""
    finally:
        os.close(handle)
    return b"".join(chunks)
