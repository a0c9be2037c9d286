"""Chunks hold all of the text, within the limits, and know where they lie."""

from itertools import pairwise

import pytest

from lib.tools.file_search import chunking
from lib.tools.file_search.chunking import (
    Chunk,
    ChunkingStrategy,
    PageStart,
    count_tokens,
    cut_into_chunks,
    tokenize,
)
from lib.tools.file_search.parsing.document import Page, ParsedDocument, ParseFailure

MIXED = "Hello wörld, 你好世界! 🎉 नमस्ते दुनिया. "


def chunks_of(document: ParsedDocument, size: int = 100, overlap: int = 50) -> list[Chunk]:
    return cut_into_chunks(document, tokenize(document.text), ChunkingStrategy(size, overlap))


def test_chunks_overlap_and_together_hold_every_character() -> None:
    document = ParsedDocument([Page(MIXED * 200)])

    chunks = chunks_of(document)

    assert chunks[0].start == 0
    assert chunks[-1].end == len(document.text)
    for before, after in pairwise(chunks):
        assert before.start < after.start < before.end
    assert all(chunk.text == document.text[chunk.start : chunk.end] for chunk in chunks)
    assert all(chunk.tokens <= 100 for chunk in chunks)
    # A character of several tokens at either edge belongs to both chunks.
    assert all(count_tokens(chunk.text) <= 104 for chunk in chunks)


def test_a_short_text_is_one_chunk() -> None:
    chunks = chunks_of(ParsedDocument([Page("One sentence.")]), 800, 400)

    assert [chunk.text for chunk in chunks] == ["One sentence."]


def test_a_chunk_without_overlap_ends_where_the_next_begins() -> None:
    chunks = chunks_of(ParsedDocument([Page("word " * 1000)]), 100, 0)

    assert [chunk.end for chunk in chunks[:-1]] == [chunk.start for chunk in chunks[1:]]


def test_a_chunk_knows_the_page_of_each_of_its_characters() -> None:
    pages = [Page("alpha " * 10, 1), Page("", 2), Page("beta " * 10, 3)]
    document = ParsedDocument(pages)

    (chunk,) = chunks_of(document, 800, 400)

    assert chunk.page_at(0) == 1
    assert chunk.page_at(chunk.text.index("beta")) == 3
    assert (chunk.first_page, chunk.last_page) == (1, 3)
    assert chunk.pages[0] == PageStart(0, 1)


def test_chunks_of_a_long_document_name_only_their_own_pages() -> None:
    document = ParsedDocument([Page(f"page {number} " * 60, number) for number in range(1, 30)])

    for chunk in chunks_of(document):
        for number in {int(word) for word in chunk.text.split() if word.isdigit()} - {0}:
            offset = chunk.text.find(f"page {number} ")
            if 0 < offset < len(chunk.text) - 20:
                assert chunk.page_at(offset) == number


def test_a_format_without_pages_has_none() -> None:
    (chunk,) = chunks_of(ParsedDocument([Page("text")]))

    assert chunk.pages == ()
    assert chunk.first_page is None


@pytest.mark.parametrize(("size", "overlap"), [(99, 0), (4097, 0), (800, 401), (800, -1)])
def test_sizes_outside_the_published_limits_are_refused(size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="must be between"):
        ChunkingStrategy(size, overlap)


def test_a_text_longer_than_the_tokenizer_takes_at_once_is_whole() -> None:
    text = "lorem ipsum " * 200_000

    grid = tokenize(text)

    assert grid.offsets[-1] == len(text)
    assert grid.tokens > 200_000


def test_more_than_the_published_number_of_tokens_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chunking, "LARGEST_FILE_TOKENS", 10)

    with pytest.raises(ParseFailure) as raised:
        tokenize("one two three four five six seven eight nine ten eleven twelve")

    assert raised.value.code == "invalid_file"
