"""Windows: the short stretches of a document that are embedded.

A chunk is longer than an embedder can read at once, and chunks overlap. So the document is
embedded once, in windows side by side, and a chunk counts as much as its best window.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lib.tools.file_search.chunking import Chunk, TokenGrid

WINDOW_TOKENS = 200


class Window(NamedTuple):
    """Characters of the document's text, the second exclusive."""

    start: int
    end: int


def cut_into_windows(grid: TokenGrid, chunk_tokens: int) -> list[Window]:
    """Windows side by side over the whole text, none longer than a chunk."""
    size = min(WINDOW_TOKENS, chunk_tokens)
    firsts = range(0, max(grid.tokens, 1), size)
    return [Window(*grid.cut(first, min(first + size, grid.tokens))) for first in firsts]


def windows_of_chunks(chunks: Sequence[Chunk], windows: Sequence[Window]) -> NDArray[np.int32]:
    """For each chunk its first window and the one after its last: those that have their middle in
    the chunk, or else the one around the chunk's middle."""
    middles = np.array([(window.start + window.end) // 2 for window in windows])
    firsts = np.searchsorted(middles, [chunk.start for chunk in chunks])
    lasts = np.searchsorted(middles, [chunk.end for chunk in chunks])
    starts = np.array([window.start for window in windows])
    around = np.searchsorted(starts, [(c.start + c.end) // 2 for c in chunks], side="right") - 1
    empty = lasts <= firsts
    firsts = np.where(empty, np.maximum(around, 0), firsts)
    lasts = np.where(empty, firsts + 1, lasts)
    return np.stack([firsts, lasts], axis=1).astype(np.int32)
