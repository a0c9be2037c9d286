"""What a knowledge file's status means, and sizes, in words."""

import math

from openai.types import VectorStore

from lib.dashboard.run_words import StatusWords
from lib.dashboard.studio_api import StoreFile

MINUTE = 60
STEP = 5
"""Seconds; a pace tells no more exactly how long a file takes."""
UNNAMED_STORE = "Untitled store"
STAGES = {
    "parsing": "Reading the file",
    "indexing": "Indexing its words",
    "embedding": "Searchable; ranking by meaning follows",
}
STORE_WORDS = {
    "completed": StatusWords("Ready", ":material/check_circle:", "green"),
    "in_progress": StatusWords("Reading files", ":material/progress_activity:", "blue"),
    "expired": StatusWords("Expired", ":material/timer_off:", "orange"),
}


def store_name(store: VectorStore) -> str:
    return store.name or UNNAMED_STORE


def store_words(store: VectorStore) -> StatusWords:
    return STORE_WORDS.get(store.status, StatusWords(store.status, ":material/help:", "gray"))


def file_words(file: StoreFile) -> str:
    """One sentence fragment: how far the file is, or why it failed."""
    if file.status == "failed":
        return file.last_error.message if file.last_error else "It could not be read."
    if file.status == "cancelled":
        return "Cancelled before it was read"
    if file.progress is not None and file.progress.stage in STAGES:
        return STAGES[file.progress.stage] + _time_left(file.progress.seconds_left)
    if file.status == "in_progress":
        return "Waiting for its turn"
    if file.waits_for_embedder:
        return "Searchable by keywords; ranking by meaning follows"
    return "Searchable" if file.is_embedded else "Searchable by keywords"


def _time_left(seconds: float | None) -> str:
    """`, about 15 s left`: nothing while it is unknown."""
    if seconds is None:
        return ""
    if seconds > MINUTE:
        return f", about {math.ceil(seconds / MINUTE)} min left"
    return f", about {max(math.ceil(seconds / STEP), 1) * STEP} s left"


def file_share(file: StoreFile) -> float | None:
    """How much of the work on a file is done, from 0 to 1; None where it came to nothing."""
    if file.status in ("failed", "cancelled"):
        return None
    if file.progress is not None and file.progress.stage == "embedding":
        return 0.5 + 0.5 * file.progress.done / max(file.progress.total, 1)
    if file.progress is not None:
        return {"parsing": 0.1, "indexing": 0.4}.get(file.progress.stage, 1.0)
    if file.status == "in_progress":
        return 0.0
    return 0.5 if file.waits_for_embedder else 1.0


def is_at_work(file: StoreFile) -> bool:
    """True while there is something to watch."""
    return file.status == "in_progress" or file.progress is not None or file.waits_for_embedder


def size(count: int) -> str:
    """`812 bytes`, `14 kB` or `2.3 MB`, in thousands as downloads are counted."""
    if count < 1000:
        return f"{count} bytes"
    if count < 1_000_000:
        return f"{count / 1000:,.0f} kB"
    return f"{count / 1_000_000:,.1f} MB"


def files_counted(store: VectorStore) -> str:
    """`3 files`, with those that are not ready named."""
    counts = store.file_counts
    parts = ["1 file" if counts.total == 1 else f"{counts.total} files"]
    if counts.in_progress:
        parts.append(f"{counts.in_progress} being read")
    if counts.failed:
        parts.append(f"{counts.failed} failed")
    return " · ".join(parts)
