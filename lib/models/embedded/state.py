"""How far the embedded model is, in words and bytes, for the dashboard and the console."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Phase = Literal["waiting", "downloading", "verifying", "starting", "ready", "failed"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EmbeddedState:
    """`message` is a sentence for people; bytes are 0 where the phase has none to count."""

    phase: Phase = "waiting"
    message: str = "The embedded model has not been started."
    bytes_done: int = 0
    bytes_total: int = 0
    source: str = ""
    """Where the bytes come from: `Hugging Face hub` or `package index`; else empty."""


Report = Callable[[EmbeddedState], None]


class ConsoleProgress:
    """Logs a line for each new phase and for each tenth of a download."""

    def __init__(self) -> None:
        self._last: tuple[Phase, int, str] | None = None

    def __call__(self, state: EmbeddedState) -> None:
        tenths = state.bytes_done * 10 // state.bytes_total if state.bytes_total else 0
        line = (state.phase, tenths, state.message if not state.bytes_total else "")
        if line == self._last:
            return
        self._last = line
        level = logging.WARNING if state.phase == "failed" else logging.INFO
        logger.log(level, "%s%s", state.message, _share(state))


def megabytes(size: int) -> str:
    """`1117` MB and above as `1.1 GB`; bytes are powers of ten, as disks are sold."""
    if size >= 1_000_000_000:
        return f"{size / 1_000_000_000:.1f} GB"
    return f"{max(size, 0) / 1_000_000:.0f} MB"


def _share(state: EmbeddedState) -> str:
    if not state.bytes_total:
        return ""
    percent = state.bytes_done * 100 // state.bytes_total
    return f" {percent}% ({megabytes(state.bytes_done)} of {megabytes(state.bytes_total)})"
