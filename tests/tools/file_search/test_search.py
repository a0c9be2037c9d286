"""A query finds what its words and its meaning name."""

from itertools import pairwise
from pathlib import Path

import pytest

from lib.tools.file_search.index.filters import parse_filter
from lib.tools.file_search.index.protocol import FileKey, Index, Scope
from lib.tools.file_search.ingestion import NewFile, ingest_file
from lib.tools.file_search.ranking import RankingOptions
from lib.tools.file_search.search import SearchResult, search
from tests.tools.file_search import documents
from tests.tools.file_search.embedders import WordEmbedder

TEXTS = {
    "vehicles.txt": "The automobile needs new tires before winter.",
    "cooking.txt": "Boil the pasta until it is soft.",
    "garden.txt": "Roses need water every morning.",
}


@pytest.fixture
def embedder() -> WordEmbedder:
    return WordEmbedder(same={"car": "automobile"})


@pytest.fixture
async def filled(index: Index, embedder: WordEmbedder, tmp_path: Path) -> Index:
    for name, text in TEXTS.items():
        path = tmp_path / name
        path.write_text(text)
        new = NewFile(FileKey("vs", name), path, name, name, attributes={"topic": name[:3]})
        await ingest_file(index, embedder, new, lambda _: None)
    return index


def names(results: list[SearchResult]) -> list[str]:
    return [result.file.filename for result in results]


async def test_a_word_of_like_meaning_finds_what_keywords_miss(
    filled: Index, embedder: WordEmbedder
) -> None:
    results = await search(filled, embedder, Scope(["vs"]), "my car", RankingOptions())

    assert names(results)[0] == "vehicles.txt"
    assert results[0].text_place is None
    assert results[0].vector_place == 1


async def test_results_are_few_scored_and_in_order(filled: Index, embedder: WordEmbedder) -> None:
    options = RankingOptions(max_num_results=2)

    results = await search(filled, embedder, Scope(["vs"]), "boil soft pasta water", options)

    assert names(results) == ["cooking.txt", "garden.txt"]
    assert 1.0 >= results[0].score > results[1].score > 0


async def test_a_threshold_leaves_out_the_weak(filled: Index, embedder: WordEmbedder) -> None:
    options = RankingOptions(score_threshold=0.99)

    results = await search(filled, embedder, Scope(["vs"]), "boil soft pasta water", options)

    assert names(results) == ["cooking.txt"]


async def test_a_filter_limits_the_search(filled: Index, embedder: WordEmbedder) -> None:
    garden = parse_filter({"type": "eq", "key": "topic", "value": "gar"})

    results = await search(
        filled, embedder, Scope(["vs"], garden), "boil the pasta", RankingOptions()
    )

    assert set(names(results)) <= {"garden.txt"}


async def test_an_embedder_that_fails_leaves_keywords(
    filled: Index, embedder: WordEmbedder
) -> None:
    embedder.fails = True

    results = await search(filled, embedder, Scope(["vs"]), "roses", RankingOptions())

    assert names(results) == ["garden.txt"]
    assert results[0].score == 1.0


async def test_of_like_texts_those_of_the_file_the_query_names_come_first(
    index: Index, embedder: WordEmbedder, tmp_path: Path
) -> None:
    for name in ("BESTBUY_2021_10K.pdf", "BESTBUY_2022_10K.pdf", "CORNING_2022_10K.pdf"):
        path = documents.pdf(tmp_path / "stored.pdf", ["Gross margin rose by two points."])
        new = NewFile(FileKey("vs", name), path, name, name)
        await ingest_file(index, embedder, new, lambda _: None)

    results = await search(
        index, embedder, Scope(["vs"]), "the gross margin of Best Buy in FY2022", RankingOptions()
    )

    assert names(results)[0] == "BESTBUY_2022_10K.pdf"
    assert 1.0 >= results[0].score > results[-1].score > 0


async def test_a_threshold_counts_the_name(
    index: Index, embedder: WordEmbedder, tmp_path: Path
) -> None:
    for name in ("apples.txt", "pears.txt"):
        path = tmp_path / name
        path.write_text("A harvest begins in autumn.")
        await ingest_file(
            index, embedder, NewFile(FileKey("vs", name), path, name, name), lambda _: None
        )
    options = RankingOptions(score_threshold=0.6)

    results = await search(index, embedder, Scope(["vs"]), "harvest of apples", options)

    assert names(results) == ["apples.txt"]


@pytest.mark.parametrize("query", ["", "   ", "zzzzz"])
async def test_a_query_without_known_words_finds_nothing(filled: Index, query: str) -> None:
    assert await search(filled, None, Scope(["vs"]), query, RankingOptions()) == []


async def test_results_name_the_page(index: Index, embedder: WordEmbedder, tmp_path: Path) -> None:
    pages = [f"Filler about nothing on page {number}. " * 40 for number in range(1, 8)]
    pages[4] = "The secret ingredient is cardamom. " * 40
    path = documents.pdf(tmp_path / "stored.pdf", pages)
    await ingest_file(
        index, embedder, NewFile(FileKey("vs", "f"), path, "recipe.pdf", "x"), lambda _: None
    )

    (best, *_) = await search(index, embedder, Scope(["vs"]), "cardamom", RankingOptions())

    assert best.chunk.page_at(best.chunk.text.index("cardamom")) == 5


async def test_no_two_results_share_text(
    index: Index, embedder: WordEmbedder, tmp_path: Path
) -> None:
    path = tmp_path / "long.txt"
    path.write_text("cardamom and pepper are spices. " * 2000)
    await ingest_file(
        index, embedder, NewFile(FileKey("vs", "f"), path, "long.txt", "x"), lambda _: None
    )

    results = await search(index, embedder, Scope(["vs"]), "cardamom", RankingOptions())

    spans = sorted((result.chunk.start, result.chunk.end) for result in results)
    assert len(spans) > 5
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
