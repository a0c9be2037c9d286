"""Text that a box prints, cut to a bounded amount however much it is."""

import asyncio
import codecs
import os

_CHUNK = 1024 * 1024


class OutputStream:
    """Reads a box's output pipe; text beyond the limit is read and dropped."""

    def __init__(self, pipe: int, limit: int) -> None:
        self._pipe = pipe
        self._limit = limit
        self._left = limit
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._dropping = False

    def begin_cell(self) -> None:
        self._left = self._limit
        self._dropping = False

    async def wait(self) -> None:
        """Return when there is something to read, or the other end is closed."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._pipe, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._pipe)

    def read(self) -> str | None:
        """What can be read at once: None when that is nothing for now, "" when it was dropped."""
        try:
            data = os.read(self._pipe, _CHUNK)
        except BlockingIOError:
            return None
        if not data:
            return None
        return self._within_limit(data)

    def _within_limit(self, data: bytes) -> str:
        if self._dropping:
            return ""
        if len(data) <= self._left:
            self._left -= len(data)
            return self._text(data)
        kept = self._text(data[: self._left])
        self._dropping = True
        return f"{kept}\n[Output cut here: a cell may print at most {self._limit // 1024} KB.]\n"

    def _text(self, data: bytes) -> str:
        return self._decoder.decode(data).replace("\x00", "\N{REPLACEMENT CHARACTER}")
