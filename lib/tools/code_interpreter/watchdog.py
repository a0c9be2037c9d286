"""Holds a running box to the limits that the kernel does not enforce for a whole tree."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from lib.tools.code_interpreter import output_files
from lib.tools.code_interpreter.limits import MIB, Limits
from lib.tools.code_interpreter.sandbox import process_tree

_PAUSE_OF_LOOK = 4
"""A look that took long is followed by a pause of so many times as long."""
_KEEPERS = 2
"""Processes that hold a box open."""
_SECONDS_BETWEEN_MAPPINGS = 1.0
_SECONDS_BETWEEN_SHARES = 5.0

Measure = TypeVar("Measure")


class DiskVerdict(str):
    """A verdict about files, which stay when the processes are gone."""

    __slots__ = ()


class _Remembered(Generic[Measure]):
    """Measures processes that changed since the last time, and every one now and then.

    For what takes a millisecond a process, a third of a short cell's time.
    """

    def __init__(
        self,
        state: Callable[[int], object],
        measure: Callable[[int], Measure],
        seconds_between: float,
    ) -> None:
        self._state = state
        self._measure = measure
        self._seconds_between = seconds_between
        self._known: dict[int, tuple[object, Measure]] = {}
        self._next_of_all = 0.0

    def of(self, pids: list[int]) -> list[Measure]:
        if time.monotonic() >= self._next_of_all:
            self._known = {}
            self._next_of_all = time.monotonic() + self._seconds_between
        self._known = {pid: self._look(pid) for pid in pids}
        return [measure for _state, measure in self._known.values()]

    def _look(self, pid: int) -> tuple[object, Measure]:
        state = self._state(pid)
        known = self._known.get(pid)
        if known and known[0] == state:
            return known
        return state, self._measure(pid)


class UnlinkedFiles:
    """Disk space of a box's deleted files. One for a box, as it remembers between cells."""

    def __init__(self) -> None:
        self._mapped = _Remembered(
            process_tree.address_space, process_tree.mapped_unlinked, _SECONDS_BETWEEN_MAPPINGS
        )

    def bytes(self, pids: list[int]) -> int:
        sizes: dict[int, int] = {}
        for files in (*self._mapped.of(pids), process_tree.open_unlinked(pids)):
            for inode, size in files.items():
                sizes[inode] = max(size, sizes.get(inode, 0))
        return sum(sizes.values())


class _Pace:
    """Lets the looks at many processes or files take a fifth of the time at most."""

    def __init__(self) -> None:
        self._next_look = 0.0

    def look(self, judge: Callable[[], str | None]) -> str | None:
        started = time.monotonic()
        if started < self._next_look:
            return None
        verdict = judge()
        ended = time.monotonic()
        self._next_look = ended + (ended - started) * _PAUSE_OF_LOOK
        return verdict


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
        self._memory = _Remembered(
            process_tree.memory_state, process_tree.exact_memory, _SECONDS_BETWEEN_SHARES
        )
        self._process_pace = _Pace()
        self._disk_pace = _Pace()

    def look(self) -> str | None:
        """Why the box must be killed, as a sentence; None while it keeps to its limits."""
        return self._process_pace.look(self._judge_processes) or self._disk_pace.look(
            self._judge_disk
        )

    def look_at_all(self) -> str | None:
        """The same, however recently it was looked at."""
        self._process_pace, self._disk_pace = _Pace(), _Pace()
        return self.look()

    def _judge_processes(self) -> str | None:
        limits, pids = self._limits, self._processes()
        used = process_tree.usage(pids)
        if used.memory_bytes > limits.memory_bytes < sum(self._memory.of(pids)):
            return f"it used more than {limits.memory_bytes // MIB} MB of memory"
        if used.tasks > limits.processes + _KEEPERS:
            return f"it started more than {limits.processes} processes"
        if used.cpu_seconds - self._cpu_before > limits.cpu_seconds:
            return f"it used more than {limits.cpu_seconds:g} seconds of processor time"
        return None

    def _judge_disk(self) -> DiskVerdict | None:
        verdict = self._broken_disk_limit()
        return DiskVerdict(verdict) if verdict else None

    def _broken_disk_limit(self) -> str | None:
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
