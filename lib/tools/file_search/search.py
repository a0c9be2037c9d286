"""Answers a query from the files of one or more stores."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from lib.tools.file_search.chunking import Chunk
from lib.tools.file_search.embedding.embedder import Embedder, EmbeddingError
from lib.tools.file_search.filenames import named_shares
from lib.tools.file_search.index.protocol import Index, IndexedFile, Match, Scope, StoredChunk
from lib.tools.file_search.ranking import (
    Ranked,
    RankingOptions,
    favour_named,
    fuse,
    without_overlaps,
)

log = logging.getLogger(__name__)

# Each result may push out the chunks before and after it, so more are ranked than are given.
CANDIDATES_PER_RESULT = 6
FEWEST_CANDIDATES = 50
CHUNKS_READ_PER_RESULT = 2
LONGEST_QUERY = 4096


@dataclass(frozen=True)
class SearchResult:
    """A chunk that answers the query.

    `score` is 0 to 1. `text_place` and `vector_place` tell why it ranks: its places, from 1, by
    keywords and by meaning.
    """

    file: IndexedFile
    chunk: Chunk
    score: float
    text_place: int | None
    vector_place: int | None


async def search(
    index: Index,
    embedder: Embedder | None,
    scope: Scope,
    query: str,
    options: RankingOptions,
) -> list[SearchResult]:
    """The best results first; an embedder that fails leaves the ranking to keywords."""
    query = query.strip()[:LONGEST_QUERY]
    if not query:
        return []
    limit = max(FEWEST_CANDIDATES, options.max_num_results * CANDIDATES_PER_RESULT)
    by_text, by_vector = await asyncio.gather(
        asyncio.to_thread(index.search_keywords, scope, query, limit),
        _by_meaning(index, embedder, scope, query, limit),
    )
    ranked = [each for each in fuse(by_text, by_vector, options) if _is_kept(each, options)]
    ranked = await asyncio.to_thread(_weighed, index, query, ranked)
    ranked = [each for each in ranked if _is_kept(each, options)]
    stored = await asyncio.to_thread(_best_apart, index, ranked, options.max_num_results)
    places = {each.chunk_id: each for each in ranked}
    return [_result(each, places[each.chunk_id]) for each in stored]


async def _by_meaning(
    index: Index, embedder: Embedder | None, scope: Scope, query: str, limit: int
) -> Sequence[Match] | None:
    if embedder is None or not await asyncio.to_thread(embedder.knows, query):
        return None
    try:
        vector = await embedder.embed_query(query)
    except EmbeddingError as error:
        log.warning("Searching by keywords alone: %s", error)
        return None
    matches = await asyncio.to_thread(index.search_vectors, scope, embedder.name, vector, limit)
    # Without a single vector in the stores there is no such ranking to count.
    return matches or None


def _is_kept(ranked: Ranked, options: RankingOptions) -> bool:
    return ranked.score > 0 and ranked.score >= options.score_threshold


def _weighed(index: Index, query: str, ranked: Sequence[Ranked]) -> list[Ranked]:
    """The ranking with the names of the files taken into account."""
    names = index.filenames([each.chunk_id for each in ranked])
    shares = named_shares(query, set(names.values()))
    present = [each for each in ranked if each.chunk_id in names]
    return favour_named(present, {chunk_id: shares[name] for chunk_id, name in names.items()})


def _best_apart(index: Index, ranked: Sequence[Ranked], most: int) -> list[StoredChunk]:
    """The best chunks that share no text. Most of a ranking is then never read."""
    kept: list[StoredChunk] = []
    for first in range(0, len(ranked), most * CHUNKS_READ_PER_RESULT):
        part = ranked[first : first + most * CHUNKS_READ_PER_RESULT]
        stored = index.stored_chunks([each.chunk_id for each in part])
        kept = without_overlaps([*kept, *stored])[:most]
        if len(kept) == most:
            break
    return kept


def _result(stored: StoredChunk, ranked: Ranked) -> SearchResult:
    return SearchResult(
        file=stored.file,
        chunk=stored.chunk,
        score=ranked.score,
        text_place=ranked.text_place,
        vector_place=ranked.vector_place,
    )
