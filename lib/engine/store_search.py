"""Searching vector stores: what the index finds, less what may not be found any more."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from lib.engine.clock import now
from lib.engine.embedder_source import EmbedderSource
from lib.store.database import Store
from lib.store.tables import VectorStoreRow
from lib.store.vector_stores import searchable_files, touch
from lib.tools.file_search.index.filters import Filter
from lib.tools.file_search.index.protocol import Index, Scope
from lib.tools.file_search.ranking import RankingOptions
from lib.tools.file_search.search import SearchResult, search

_TOUCH_EVERY = 60
"""Seconds within which a second search does not count as another use of a store."""


class StoreSearch:
    """Answers queries from vector stores, for the API and for runs."""

    def __init__(self, store: Store, index: Index, embedders: EmbedderSource) -> None:
        self._store = store
        self._index = index
        self._embedders = embedders

    async def search(
        self,
        store_ids: Sequence[str],
        queries: Sequence[str],
        options: RankingOptions,
        wanted: Filter | None = None,
    ) -> list[SearchResult]:
        """The best results of all queries together, best first; each chunk once."""
        embedder = await self._embedders.current()
        scope = Scope(store_ids, wanted)
        found: list[SearchResult] = []
        for query in queries:
            found += await search(self._index, embedder, scope, query, options)
        living = await self._store.read(partial(_living, store_ids=store_ids, found=found))
        await self._note_use(store_ids)
        best: dict[tuple[str, str, int], SearchResult] = {}
        for result in sorted(found, key=lambda each: -each.score):
            if result.file.key in living:
                best.setdefault((*result.file.key, result.chunk.start), result)
        return list(best.values())[: options.max_num_results]

    async def _note_use(self, store_ids: Sequence[str]) -> None:
        """Expiry counts from the last use. Searches in quick succession need one write only."""
        idle = await self._store.read(partial(_idle, store_ids=store_ids))
        if idle:
            await self._store.write(partial(_touch, store_ids=idle))


def _living(
    session: Session, store_ids: Sequence[str], found: Sequence[SearchResult]
) -> set[tuple[str, str]]:
    return searchable_files(session, store_ids, {result.file.key.file_id for result in found})


def _idle(session: Session, store_ids: Sequence[str]) -> list[str]:
    query = select(VectorStoreRow.id).where(
        VectorStoreRow.id.in_(store_ids), VectorStoreRow.last_active_at < now() - _TOUCH_EVERY
    )
    return list(session.scalars(query))


def _touch(session: Session, store_ids: Sequence[str]) -> None:
    at = now()
    for row in session.scalars(select(VectorStoreRow).where(VectorStoreRow.id.in_(store_ids))):
        touch(row, at)
