"""Holds a running box to the limits that the kernel does not enforce for a whole tree."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

from lib.tools.code_interpreter import output_files
from lib.tools.code_interpreter.limits import MIB, Limits
from lib.tools.code_interpreter.sandbox import process_tree

_ROUNDS_BETWEEN_DISK_LOOKS = 4
_KEEPERS = 2
"""Processes that hold a box open."""
_SECONDS_BETWEEN_MAPPINGS = 1.0


class DiskVerdict(str):
    """A verdict about files, which stay when the processes are gone."""

    __slots__ = ()


class UnlinkedFiles:
    """Disk space of a box's deleted files. One for a box, as it remembers between cells.

    What is mapped takes a millisecond to find out, a third of a short cell's time: while the
    address space stays as it is, that is asked once a second.
    """

    def __init__(self) -> None:
        self._mapped: dict[int, int] = {}
        self._looked_at: dict[int, int] = {}
        self._next_look = 0.0

    def bytes(self, pids: list[int]) -> int:
        spaces = {pid: process_tree.address_space(pid) for pid in pids}
        if spaces != self._looked_at or time.monotonic() >= self._next_look:
            self._mapped = process_tree.mapped_unlinked(pids)
            self._looked_at = spaces
            self._next_look = time.monotonic() + _SECONDS_BETWEEN_MAPPINGS
        opened = process_tree.open_unlinked(pids)
        both = self._mapped.keys() | opened.keys()
        return sum(max(self._mapped.get(one, 0), opened.get(one, 0)) for one in both)


class Watchdog:
    """Looks at one box while one cell runs in it."""

    def __init__(
        self,
        limits: Limits,
        processes: Callable[[], list[int]],
        directories: list[Path],
        unlinked: UnlinkedFiles,
    ) -> None:
        self._limits = limits
        self._processes = processes
        self._directories = directories
        self._unlinked = unlinked
        self._cpu_before = process_tree.usage(processes()).cpu_seconds
        self._next_disk_look = 0.0

    def look(self) -> str | None:
        """Why the box must be killed, as a sentence; None while it keeps to its limits."""
        return self._look_at_processes() or self._look_at_disk()

    def look_at_all(self) -> str | None:
        """The same, however recently the disk was looked at."""
        self._next_disk_look = 0.0
        return self.look()

    def _look_at_processes(self) -> str | None:
        limits, pids = self._limits, self._processes()
        used = process_tree.usage(pids)
        if used.memory_bytes > limits.memory_bytes < process_tree.exact_memory(pids):
            return f"it used more than {limits.memory_bytes // MIB} MB of memory"
        if used.tasks > limits.processes + _KEEPERS:
            return f"it started more than {limits.processes} processes"
        if used.cpu_seconds - self._cpu_before > limits.cpu_seconds:
            return f"it used more than {limits.cpu_seconds:g} seconds of processor time"
        return None

    def _look_at_disk(self) -> str | None:
        """Looking at many files takes long: then it happens less often."""
        started = time.monotonic()
        if started < self._next_disk_look:
            return None
        verdict = self._judge_disk()
        took = time.monotonic() - started
        self._next_disk_look = started + took * (1 + _ROUNDS_BETWEEN_DISK_LOOKS)
        return DiskVerdict(verdict) if verdict else None

    def _judge_disk(self) -> str | None:
        limits = self._limits
        size = self._unlinked.bytes(self._processes())
        count = 0
        try:
            for entry in itertools.chain.from_iterable(map(output_files.walk, self._directories)):
                count += 1
                size += entry.status.st_blocks * 512
                if count > limits.file_count:
                    return f"it made more than {limits.file_count} files"
        except output_files.TooDeepError:
            return f"it nested directories more than {output_files.DEEPEST} deep"
        except PermissionError:
            return "it made a directory that cannot be looked into"
        if size > limits.disk_bytes:
            return f"it used more than {limits.disk_bytes // MIB} MB of disk"
        return None
