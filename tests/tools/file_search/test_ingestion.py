"""Files become searchable once each, whatever interrupts the work."""

import asyncio
import hashlib
import sys
from pathlib import Path

import pytest

from lib.tools.file_search.chunking import ChunkingStrategy
from lib.tools.file_search.embedding.embedder import EmbeddingError
from lib.tools.file_search.index.protocol import FileKey, Index, Scope
from lib.tools.file_search.ingestion import NewFile, Progress, ingest_file, remove_file
from lib.tools.file_search.parsing.document import ParseFailure
from lib.tools.file_search.ranking import RankingOptions
from lib.tools.file_search.search import search
from tests.tools.file_search import documents
from tests.tools.file_search.embedders import WordEmbedder
from tests.tools.file_search.indexes import IndexHome, open_index_at

KEY = FileKey("vs", "file")


def new_file(
    path: Path, filename: str = "notes.txt", key: FileKey = KEY, size: int = 800
) -> NewFile:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return NewFile(key, path, filename, digest, ChunkingStrategy(size, size // 2))


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "stored"
    path.write_text("The library opens at nine. " * 200 + "Bicycles are parked behind it.")
    return path


async def test_a_file_is_findable_by_keywords_before_it_is_embedded(
    index: Index, embedder: WordEmbedder, text_file: Path
) -> None:
    found_at: dict[str, int] = {}

    def report(progress: Progress) -> None:
        found_at[progress.stage] = len(index.search_keywords(Scope(["vs"]), "bicycles", 5))

    file = await ingest_file(index, embedder, new_file(text_file), report)

    assert found_at["parsing"] == 0
    assert found_at["embedding"] > 0
    assert file.is_embedded
    assert file.usage_bytes > 5000


async def test_progress_names_the_stages_pages_and_windows(
    index: Index, embedder: WordEmbedder, tmp_path: Path
) -> None:
    path = documents.pdf(tmp_path / "stored", ["One page of text.", "Another page of text."])
    reports: list[Progress] = []

    await ingest_file(index, embedder, new_file(path, "a.pdf"), reports.append)

    assert [report.stage for report in reports] == [
        "parsing",
        "indexing",
        "embedding",
        "embedding",
        "done",
    ]
    assert reports[1].pages == 2
    assert (reports[3].done, reports[3].total) == (1, 1)


async def test_ingesting_again_does_nothing(
    index: Index, embedder: WordEmbedder, text_file: Path
) -> None:
    first = await ingest_file(index, embedder, new_file(text_file), lambda _: None)
    embedded = embedder.embedded_texts

    second = await ingest_file(index, embedder, new_file(text_file), lambda _: None)

    assert second == first
    assert embedder.embedded_texts == embedded


async def test_another_chunking_replaces_the_chunks(
    index: Index, embedder: WordEmbedder, text_file: Path
) -> None:
    large = await ingest_file(index, embedder, new_file(text_file), lambda _: None)

    small = await ingest_file(index, embedder, new_file(text_file, size=100), lambda _: None)

    assert small.chunk_count > large.chunk_count
    assert len(index.chunks(KEY)) == small.chunk_count


async def test_another_embedder_embeds_anew_without_parsing_again(
    index: Index, embedder: WordEmbedder, text_file: Path
) -> None:
    await ingest_file(index, embedder, new_file(text_file), lambda _: None)
    stages: list[str] = []

    file = await ingest_file(
        index, WordEmbedder("other"), new_file(text_file), lambda p: stages.append(p.stage)
    )

    assert "parsing" not in stages
    assert (file.embedder, file.is_embedded) == ("other", True)


async def test_a_failed_embedding_leaves_the_file_findable_and_is_taken_up_later(
    index: Index, embedder: WordEmbedder, text_file: Path
) -> None:
    embedder.fails = True
    with pytest.raises(EmbeddingError):
        await ingest_file(index, embedder, new_file(text_file), lambda _: None)
    assert index.search_keywords(Scope(["vs"]), "bicycles", 5)

    embedder.fails = False
    stages: list[str] = []
    file = await ingest_file(index, embedder, new_file(text_file), lambda p: stages.append(p.stage))

    assert file.is_embedded
    assert "parsing" not in stages


async def test_a_language_the_embedder_does_not_know_is_left_to_keywords(
    index: Index, embedder: WordEmbedder, tmp_path: Path
) -> None:
    path = tmp_path / "stored"
    path.write_text("委员会批准了年度预算。" * 20)

    file = await ingest_file(index, embedder, new_file(path), lambda _: None)
    results = await search(index, embedder, Scope(["vs"]), "年度预算", RankingOptions())

    assert (file.is_embedded, file.embedder) == (False, embedder.name)
    assert results[0].score == 1.0


async def test_a_file_that_cannot_be_parsed_leaves_nothing(
    index: Index, embedder: WordEmbedder, tmp_path: Path
) -> None:
    path = tmp_path / "stored"
    path.write_bytes(b"")

    with pytest.raises(ParseFailure, match="empty"):
        await ingest_file(index, embedder, new_file(path), lambda _: None)

    assert index.file(KEY) is None


async def test_a_file_removed_while_it_is_embedded_stays_removed(
    index: Index, embedder: WordEmbedder, text_file: Path
) -> None:
    def remove_midway(progress: Progress) -> None:
        if progress.stage == "embedding":
            index.remove_file(KEY)

    await ingest_file(index, embedder, new_file(text_file), remove_midway)

    assert index.file(KEY) is None
    assert not await remove_file(index, KEY)


async def test_one_file_in_many_stores_at_once(
    index: Index, embedder: WordEmbedder, text_file: Path
) -> None:
    files = [new_file(text_file, key=FileKey(f"vs_{number}", "file")) for number in range(8)]

    await asyncio.gather(*(ingest_file(index, embedder, new, lambda _: None) for new in files))

    for new in files:
        assert [file.key for file in index.files(new.key.store_id)] == [new.key]


async def test_a_batch_killed_at_any_moment_ends_whole_and_none_twice(
    index_home: IndexHome, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number:03}.txt").write_text(f"Report number {number}. " * 30)
    module = "tests.tools.file_search.ingest_batch"
    command = [sys.executable, "-m", module, index_home.address, str(folder)]

    for files_before_the_kill in (1, 40, 90):
        batch = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert batch.stdout is not None
        for _ in range(files_before_the_kill):
            await batch.stdout.readline()
        batch.kill()
        await batch.wait()
    finished = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    assert await finished.wait() == 0

    index = open_index_at(index_home.address)
    files = index.files("vs")
    assert sorted(file.key.file_id for file in files) == [f"{n:03}.txt" for n in range(200)]
    assert all(file.is_embedded and file.chunk_count == 1 for file in files)
    assert len(index.search_keywords(Scope(["vs"]), "report", 500)) == 200
    assert index_home.left_over() == {"stores": 1, "files": 200, "chunks": 200, "embedded": 200}
    index.close()
