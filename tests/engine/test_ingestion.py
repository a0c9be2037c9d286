"""Ingestion with the real store and index; the embedder is one that a test can hold up."""

import asyncio
import io
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from lib.engine.embedder_source import EmbedderState
from lib.engine.ingestion import Ingestion
from lib.engine.search_index import open_index
from lib.engine.store_search import StoreSearch
from lib.engine.vector_stores import (
    NewStoreFile,
    NewVectorStore,
    add_files,
    create_vector_store,
)
from lib.store import ingestion as queue
from lib.store.blobs import Blobs
from lib.store.database import Store, open_store
from lib.store.files import add_file
from lib.store.ids import new_id
from lib.store.queries import find
from lib.store.tables import FileRow, VectorStoreFileRow, VectorStoreRow
from lib.tools.file_search.embedding.embedder import EmbeddedSoFar, EmbeddingError, Vectors
from lib.tools.file_search.index.protocol import FileKey
from lib.tools.file_search.ranking import RankingOptions
from tests.tools.file_search.embedders import WordEmbedder

WITHIN = 60.0


class HeldUpSource:
    """An embedder whose weights arrive when the test says so, or never."""

    def __init__(self, name: str = "words") -> None:
        self.embedder = WordEmbedder(name)
        self.name: str | None = name
        self.state = EmbedderState("waiting", "It is on its way.")
        self.fails = False
        self.arrived = asyncio.Event()

    async def current(self) -> WordEmbedder | None:
        return self.embedder if self.arrived.is_set() else None

    async def get(self) -> WordEmbedder:
        if self.fails:
            raise EmbeddingError("The embedding model could not be fetched.")
        await self.arrived.wait()
        return self.embedder

    async def close(self) -> None:
        return


class HeldUpEmbedder(WordEmbedder):
    """Its first passages take until the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.began = asyncio.Event()
        self.may_end = asyncio.Event()

    async def embed_passages(self, texts: Sequence[str], embedded: EmbeddedSoFar) -> Vectors:
        self.began.set()
        await self.may_end.wait()
        return await super().embed_passages(texts, embedded)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WITHIN):
        for _ in itertools.count():
            if await holds():
                return
            await asyncio.sleep(0.02)


class House:
    """A store of its own with its ingestion, which can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store: Store = open_store(f"sqlite:///{folder / 'studio.db'}")
        self.blobs = Blobs(folder / "files")
        self.source = HeldUpSource()
        self.ingestion = self._ingestion()

    def _ingestion(self) -> Ingestion:
        opened = open_index(self.folder, None)
        return Ingestion(self.store, self.blobs, opened.index, self.source, opened.is_new)

    async def restart(self) -> None:
        await self.ingestion.close()
        self.ingestion = self._ingestion()
        await self.ingestion.start()

    async def add(self, text: str, stores: int = 1) -> list[FileKey]:
        """One file in that many new stores."""
        received = await asyncio.to_thread(self.blobs.receive, io.BytesIO(text.encode()))
        row = FileRow(
            id=new_id("file-"),
            created_at=1,
            filename="notes.txt",
            purpose="assistants",
            bytes=received.size,
            sha256=received.sha256,
        )
        await self.store.write(lambda session: add_file(session, self.blobs, received, row))
        return [await self.put(row.id) for _ in range(stores)]

    async def put(self, file_id: str) -> FileKey:
        new = NewVectorStore(files=[NewStoreFile(file_id)])
        store = await self.store.write(lambda session: create_vector_store(session, new))
        self.ingestion.wake()
        return FileKey(store.id, file_id)

    async def put_anew(self, key: FileKey, **chunking: int) -> None:
        """The file once more into the store that it is in."""
        new = NewStoreFile(
            key.file_id, chunking_strategy={"type": "static", "static": dict(chunking)}
        )

        def put(session: Session) -> None:
            add_files(session, find(session, VectorStoreRow, key.store_id), [new])

        await self.store.write(put)
        self.ingestion.begin_anew(key.store_id, [key.file_id])

    async def row(self, key: FileKey) -> VectorStoreFileRow:
        return await self.store.read(
            lambda session: find(
                session, VectorStoreFileRow, key.file_id, vector_store_id=key.store_id
            )
        )

    async def becomes(self, key: FileKey, **wanted: Any) -> None:
        async def holds() -> bool:
            row = await self.row(key)
            return all(getattr(row, name) == value for name, value in wanted.items())

        await until(holds)

    async def finds(self, key: FileKey, query: str, texts: list[str]) -> None:
        async def holds() -> bool:
            return await self.found(key, query) == texts

        await until(holds)

    async def is_forgotten(self, key: FileKey) -> None:
        """Nothing of the file is left in the index, and nothing comes back."""

        async def holds() -> bool:
            def left(session: Session) -> int:
                return len(queue.removals(session))

            return self.ingestion.index.file(key) is None and not await self.store.read(left)

        await until(holds)

    async def found(self, key: FileKey, query: str) -> list[str]:
        search = StoreSearch(self.store, self.ingestion.index, self.source)
        results = await search.search([key.store_id], [query], RankingOptions())
        return [result.chunk.text for result in results]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.ingestion.start()
    yield house
    await house.ingestion.close()
    house.store.close()


async def test_keywords_find_a_file_before_the_embedder_is_there(house: House) -> None:
    (key,) = await house.add("Cats sleep.")

    await house.becomes(key, status="completed", embedder=None)
    assert await house.found(key, "cats") == ["Cats sleep."]

    house.source.arrived.set()
    await house.becomes(key, embedder="words")
    assert house.source.embedder.embedded_texts == 1


async def test_vectors_of_a_file_put_in_anew_meanwhile_do_not_count(house: House) -> None:
    words = [f"word{number}" for number in range(1500)]
    embedder = HeldUpEmbedder()
    house.source.embedder = embedder
    house.source.arrived.set()
    (key,) = await house.add(" ".join(words))
    await embedder.began.wait()

    await house.put_anew(key, max_chunk_size_tokens=100, chunk_overlap_tokens=0)
    await house.becomes(key, status="completed", embedder=None)
    embedder.may_end.set()
    await house.becomes(key, embedder="words")

    chunks = house.ingestion.index.chunks(key)
    best = (await house.found(key, "word1499"))[0]
    assert max(chunk.tokens for chunk in chunks) == 100
    assert best == chunks[-1].text


async def test_a_file_stays_findable_when_no_embedder_can_be_had(house: House) -> None:
    house.source.fails = True

    (key,) = await house.add("Cats sleep.")

    await house.becomes(key, status="completed", embedder=None)
    assert await house.found(key, "cats") == ["Cats sleep."]


async def test_another_embedder_deals_with_every_file_anew(house: House) -> None:
    house.source.arrived.set()
    (key,) = await house.add("Cats sleep.")
    await house.becomes(key, embedder="words")
    house.source = HeldUpSource("better words")
    house.source.arrived.set()

    await house.restart()

    await house.becomes(key, embedder="better words", status="completed")


async def test_the_same_content_is_read_once(house: House) -> None:
    (first,) = await house.add("Cats sleep.")
    await house.becomes(first, status="completed")
    file = await house.store.read(lambda session: find(session, FileRow, first.file_id))
    # Whoever reads it again would fail.
    house.blobs.path(file.sha256).write_bytes(b"")

    second = await house.put(first.file_id)

    await house.becomes(second, status="completed")
    assert await house.found(second, "cats") == ["Cats sleep."]


async def test_what_was_left_undone_is_taken_up_at_the_next_start(house: House) -> None:
    await house.ingestion.close()
    keys = await house.add("Cats sleep.", stores=3)

    await house.restart()

    for key in keys:
        await house.becomes(key, status="completed")
        assert await house.found(key, "cats") == ["Cats sleep."]


async def test_a_file_that_brings_the_server_down_is_left_out_in_the_end(house: House) -> None:
    await house.ingestion.close()
    (key,) = await house.add("Cats sleep.")

    def crashed_three_times(session: Session) -> None:
        row = find(session, VectorStoreFileRow, key.file_id, vector_store_id=key.store_id)
        row.attempts = 3

    await house.store.write(crashed_three_times)
    await house.restart()

    await house.becomes(key, status="failed")
    error = (await house.row(key)).last_error
    assert error is not None
    assert "stopped the server 3 times" in error["message"]


async def test_a_lost_index_is_made_anew(house: House) -> None:
    (key,) = await house.add("Cats sleep.")
    await house.becomes(key, status="completed")
    await house.ingestion.close()
    for path in house.folder.glob("search.db*"):
        path.unlink()

    await house.restart()

    await house.becomes(key, status="completed", attempts=0)
    await house.finds(key, "cats", ["Cats sleep."])


async def test_the_content_of_an_expired_store_is_forgotten(house: House) -> None:
    (key,) = await house.add("Cats sleep.")
    await house.becomes(key, status="completed")

    def expire(session: Session) -> None:
        find(session, VectorStoreRow, key.store_id).expires_at = 1

    await house.store.write(expire)
    await house.restart()

    await house.is_forgotten(key)
    assert await house.found(key, "cats") == []


async def test_a_file_deleted_while_it_is_read_leaves_nothing_behind(house: House) -> None:
    (key,) = await house.add("Cats sleep. " * 2000)

    def delete(session: Session) -> None:
        session.delete(find(session, FileRow, key.file_id))

    await house.store.write(delete)

    await house.is_forgotten(key)
    assert await house.found(key, "cats") == []
