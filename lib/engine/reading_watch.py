"""How far each file is that is being made searchable, and about how long it takes yet."""

import time
from dataclasses import dataclass

from lib.tools.file_search.index.protocol import FileKey
from lib.tools.file_search.ingestion import Progress


@dataclass(slots=True)
class _Watched:
    progress: Progress
    began: float
    """When the stage began, and below when it came as far as it is, in monotonic seconds."""
    reported: float


class ReadingWatch:
    """Notes what files report, for whoever asks. Nothing of it outlives the process."""

    def __init__(self) -> None:
        self._files: dict[FileKey, _Watched] = {}

    def note(self, key: FileKey, progress: Progress) -> None:
        now = time.monotonic()
        known = self._files.get(key)
        is_same_stage = known is not None and known.progress.stage == progress.stage
        began = known.began if known and is_same_stage else now
        self._files[key] = _Watched(progress, began, now)

    def forget(self, key: FileKey) -> None:
        self._files.pop(key, None)

    def progress(self, key: FileKey) -> Progress | None:
        """None for a file that nothing is being done about."""
        watched = self._files.get(key)
        return watched.progress if watched else None

    def seconds_left(self, key: FileKey) -> float | None:
        """At the pace so far; None while there is no pace to tell from."""
        watched = self._files.get(key)
        if watched is None or not watched.progress.done:
            return None
        progress = watched.progress
        for_each = (watched.reported - watched.began) / progress.done
        since = time.monotonic() - watched.reported
        return max(for_each * (progress.total - progress.done) - since, 0.0)
