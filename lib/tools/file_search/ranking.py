"""Joins the keyword ranking and the ranking by meaning into one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lib.tools.file_search.index.protocol import Match, StoredChunk

# How quickly a lower place loses worth. Quality is the same from 10 to 100; a small number spreads
# the scores over 0 to 1, so that a threshold has something to tell apart.
PLACE_DAMPING = 10


@dataclass(frozen=True)
class RankingOptions:
    """What to keep of a ranking, and how much each of the two rankings counts.

    Raises ValueError with a sentence for values outside the published limits.
    """

    max_num_results: int = 20
    score_threshold: float = 0.0
    text_weight: float = 1.0
    vector_weight: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.max_num_results <= 50:
            raise ValueError("max_num_results must be between 1 and 50.")
        if not 0 <= self.score_threshold <= 1:
            raise ValueError("score_threshold must be between 0 and 1.")
        if min(self.text_weight, self.vector_weight) < 0:
            raise ValueError("The weights of text and vector must not be negative.")
        if self.text_weight + self.vector_weight == 0:
            raise ValueError("One of the weights of text and vector must be more than 0.")


@dataclass(frozen=True)
class Ranked:
    """A chunk's score, 0 to 1, and its place by keywords and by meaning, each from 1; None where
    that ranking did not find it."""

    chunk_id: int
    score: float
    text_place: int | None
    vector_place: int | None


def fuse(
    by_text: Sequence[Match], by_vector: Sequence[Match] | None, options: RankingOptions
) -> list[Ranked]:
    """Reciprocal-rank fusion, best first. A chunk that is first in every ranking scores 1.

    `by_vector` is None where there is nothing to rank by meaning; keywords then count alone.
    """
    text_places = _places(by_text)
    vector_places = _places(by_vector or ())
    text_weight = options.text_weight
    vector_weight = options.vector_weight if by_vector is not None else 0.0
    if text_weight + vector_weight == 0:
        text_weight = 1.0
    ranked = [
        Ranked(
            chunk_id,
            (
                text_weight * _worth(text_places.get(chunk_id))
                + vector_weight * _worth(vector_places.get(chunk_id))
            )
            / (text_weight + vector_weight),
            text_places.get(chunk_id),
            vector_places.get(chunk_id),
        )
        for chunk_id in text_places | vector_places
    ]
    return sorted(ranked, key=lambda each: (-each.score, each.chunk_id))


def favour_named(ranked: Sequence[Ranked], shares: Mapping[int, float]) -> list[Ranked]:
    """The ranking, best first, where a chunk counts up to twice as much when the query names its
    file: by `shares`, 0 to 1 for each chunk. Scores stay from 0 to 1."""
    most = 1 + max(shares.values(), default=0.0)
    if most == 1:
        return list(ranked)
    weighed = [
        replace(each, score=each.score * (1 + shares[each.chunk_id]) / most) for each in ranked
    ]
    return sorted(weighed, key=lambda each: (-each.score, each.chunk_id))


def without_overlaps(chunks: Iterable[StoredChunk]) -> list[StoredChunk]:
    """The chunks, best first, less those that share text with a better one of the same file."""
    kept: list[StoredChunk] = []
    for chunk in chunks:
        if not any(_overlap(chunk, better) for better in kept):
            kept.append(chunk)
    return kept


def _places(matches: Sequence[Match]) -> dict[int, int]:
    return {match.chunk_id: place for place, match in enumerate(matches, start=1)}


def _worth(place: int | None) -> float:
    return 0.0 if place is None else (PLACE_DAMPING + 1) / (PLACE_DAMPING + place)


def _overlap(one: StoredChunk, other: StoredChunk) -> bool:
    if one.file.key != other.file.key:
        return False
    return one.chunk.start < other.chunk.end and other.chunk.start < one.chunk.end
