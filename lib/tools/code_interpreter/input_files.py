"""Places files where hostile code may already have planted something under their names."""

import itertools
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lib.tools.code_interpreter.limits import MIB
from lib.tools.code_interpreter.sandbox.privileges import SANDBOX_USER

_LONGEST_NAME = 200
"""Bytes; leaves room for a number within what file systems take."""


def place(directory: Path, name: str, content: bytes | Path) -> str:
    """Write a new file into `directory`; a taken name gets a number: `name (2).csv`.

    Returns the name used. What is there already is never opened, followed or replaced.
    """
    anchor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for used in names_for(name):
            try:
                handle = os.open(
                    used, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=anchor
                )
            except FileExistsError:
                continue
            try:
                _fill(handle, content)
            except OSError:
                # Half a file under its own name would pass for the whole.
                os.unlink(used, dir_fd=anchor)
                raise
            return used
    finally:
        os.close(anchor)
    raise AssertionError("unreachable: the names never end")


def names_for(name: str) -> Iterator[str]:
    """The names that a file may get, the best first, without end: `a.csv`, `a (2).csv` …"""
    wanted = PurePosixPath(safe_name(name))
    yield wanted.name
    for number in itertools.count(2):
        yield f"{wanted.stem} ({number}){wanted.suffix}"


def _fill(handle: int, content: bytes | Path) -> None:
    with os.fdopen(handle, "wb") as sink:
        if os.geteuid() == 0:
            # The code runs as another user, and may change its inputs.
            os.fchown(sink.fileno(), SANDBOX_USER, SANDBOX_USER)
        if isinstance(content, bytes):
            sink.write(content)
            return
        with content.open("rb") as source:
            shutil.copyfileobj(source, sink, MIB)


def safe_name(name: str) -> str:
    """The last part of a path, without characters that could mislead a reader or a program."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    shown = "".join(character if character.isprintable() else "_" for character in last).strip()
    if shown.strip(".") == "":
        return "file"
    path = PurePosixPath(shown)
    room = _LONGEST_NAME - len(path.suffix.encode()[:20])
    stem = path.stem.encode("utf-8", errors="replace")[:room].decode(errors="ignore")
    return stem + path.suffix.encode("utf-8", errors="replace")[:20].decode(errors="ignore")
