"""What a cell produces while it runs."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LogText:
    """Text that the cell printed, in order; stdout and stderr are one stream."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A figure, as a complete PNG file."""

    png: bytes


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A new or changed file under /mnt/data."""

    name: str
    """Relative to /mnt/data, with `/` between directories; printable."""
    size: int
    """Bytes."""
    path: Path
    """A copy that code in the sandbox cannot reach. Whoever gets it moves or deletes it."""


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of every cell."""

    ok: bool
    error: str | None
    """Why the cell did not finish, in the words that its output ended with; None when ok."""
    files: list[OutputFile] = field(default_factory=list)


Event = LogText | Image | Done
