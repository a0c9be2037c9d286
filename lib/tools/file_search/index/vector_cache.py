"""Vectors of stores in memory, scored exactly.

Half precision is kept as it is stored: 100,000 windows of 384 numbers take 77 MB and are scored
in about 6 ms.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numkong
import numpy as np
from numpy.typing import NDArray

from lib.tools.file_search.embedding.embedder import Vectors
from lib.tools.file_search.index.protocol import Match

SEGMENT_WINDOWS = 32_768


class FileBlock(NamedTuple):
    """One file's vectors as read from the index. `block_id` never names other content."""

    block_id: int
    file_row: int
    chunk_ids: NDArray[np.int64]
    windows_of_chunks: NDArray[np.int32]
    vectors: Vectors


@dataclass(frozen=True)
class Segment:
    """Several files' vectors side by side."""

    block_ids: frozenset[int]
    vectors: Vectors
    chunk_ids: NDArray[np.int64]
    chunk_blocks: NDArray[np.int64]
    chunk_files: NDArray[np.int64]
    window_bounds: NDArray[np.int64]

    @property
    def is_small(self) -> bool:
        return len(self.vectors) < SEGMENT_WINDOWS

    def score_chunks(self, query: Vectors) -> NDArray[np.float32]:
        """Each chunk's best window."""
        scores = np.asarray(numkong.cdist(query[None, :], self.vectors, "dot"))[0]
        # One more, worse than all, since the last bound points past the last window.
        padded = np.append(scores, -np.inf).astype(np.float32)
        best: NDArray[np.float32] = np.maximum.reduceat(padded, self.window_bounds.ravel())[::2]
        return best


def segments_of(blocks: Iterable[FileBlock]) -> list[Segment]:
    """The blocks in segments of a size that can be replaced without copying a whole store."""
    segments, waiting, windows = [], list[FileBlock](), 0
    for block in blocks:
        waiting.append(block)
        windows += len(block.vectors)
        if windows >= SEGMENT_WINDOWS:
            segments.append(_segment(waiting))
            waiting, windows = [], 0
    return [*segments, _segment(waiting)] if waiting else segments


def best_matches(
    segments: Sequence[Segment],
    query: Vectors,
    allowed_files: NDArray[np.int64] | None,
    dead_blocks: NDArray[np.int64],
    limit: int,
) -> list[Match]:
    """The chunks closest to the query; only those of allowed files and of living blocks."""
    found: list[Match] = []
    for segment in segments:
        scores = segment.score_chunks(query)
        if allowed_files is not None:
            scores[~np.isin(segment.chunk_files, allowed_files)] = -np.inf
        if len(dead_blocks):
            scores[np.isin(segment.chunk_blocks, dead_blocks)] = -np.inf
        found += _best_of(segment, scores, limit)
    return sorted(found, key=lambda match: -match.score)[:limit]


def _best_of(segment: Segment, scores: NDArray[np.float32], limit: int) -> list[Match]:
    count = min(limit, len(scores))
    places = np.argpartition(-scores, count - 1)[:count]
    return [
        Match(int(segment.chunk_ids[place]), float(scores[place]))
        for place in places
        if np.isfinite(scores[place])
    ]


def _segment(blocks: Sequence[FileBlock]) -> Segment:
    counts = [len(block.chunk_ids) for block in blocks]
    offsets = np.cumsum([0, *(len(block.vectors) for block in blocks)])
    bounds = [
        block.windows_of_chunks.astype(np.int64) + offset
        for block, offset in zip(blocks, offsets[:-1], strict=True)
    ]
    return Segment(
        block_ids=frozenset(block.block_id for block in blocks),
        vectors=np.concatenate([block.vectors for block in blocks]),
        chunk_ids=np.concatenate([block.chunk_ids for block in blocks]),
        chunk_blocks=np.repeat([block.block_id for block in blocks], counts),
        chunk_files=np.repeat([block.file_row for block in blocks], counts),
        window_bounds=np.concatenate(bounds),
    )
