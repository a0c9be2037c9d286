"""File contents on disk, once for each content: the SHA-256 of the bytes is the name."""

import errno
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from lib.store.database import StorageError

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes that have arrived whole but do not belong to a file yet."""

    path: Path
    sha256: str
    size: int


class Blobs:
    """A folder of contents. Every call blocks on the disk: use it from a thread.

    `keep` and `drop` belong into the store's writer thread, so that one never takes away what the
    other has just put there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def receive(self, source: BinaryIO) -> Received:
        """Copy the bytes of `source` to disk, in pieces.

        Raises StorageError when the disk refuses; nothing is left behind then.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as target:
                try:
                    return _copy(source, target)
                except BaseException:
                    Path(target.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            raise StorageError(_sentence(error)) from error

    def keep(self, received: Received) -> None:
        """Put what was received in its place."""
        final = self.path(received.sha256)
        final.parent.mkdir(exist_ok=True)
        received.path.replace(final)

    def drop(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)

    def path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256


def _copy(source: BinaryIO, target: IO[bytes]) -> Received:
    digest = hashlib.sha256()
    size = 0
    while piece := source.read(_CHUNK):
        digest.update(piece)
        size += len(piece)
        target.write(piece)
    target.flush()
    os.fsync(target.fileno())
    return Received(Path(target.name), digest.hexdigest(), size)


def _sentence(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full: the file was not kept. Free some space and try again."
    return f"The file could not be kept: {error.strerror}."
