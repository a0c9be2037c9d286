"""Windows cover the text once, and every chunk has some."""

import pytest

from lib.tools.file_search.chunking import ChunkingStrategy, cut_into_chunks, tokenize
from lib.tools.file_search.embedding.windows import cut_into_windows, windows_of_chunks
from lib.tools.file_search.parsing.document import Page, ParsedDocument


@pytest.mark.parametrize(("size", "overlap"), [(800, 400), (100, 0), (100, 50), (250, 30)])
@pytest.mark.parametrize("words", [1, 90, 1000, 5000])
def test_every_chunk_has_the_windows_that_lie_in_it(size: int, overlap: int, words: int) -> None:
    document = ParsedDocument([Page("word " * words)])
    grid = tokenize(document.text)
    chunks = cut_into_chunks(document, grid, ChunkingStrategy(size, overlap))

    windows = cut_into_windows(grid, size)
    ranges = windows_of_chunks(chunks, windows)

    assert windows[0].start == 0
    assert windows[-1].end == len(document.text)
    assert len(ranges) == len(chunks)
    for chunk, (first, last) in zip(chunks, ranges, strict=True):
        assert 0 <= first < last <= len(windows)
        for window in windows[first:last]:
            assert window.start < chunk.end
            assert chunk.start < window.end


def test_an_ordinary_chunk_has_four_windows_shared_with_its_neighbour() -> None:
    document = ParsedDocument([Page("word " * 4000)])
    grid = tokenize(document.text)
    chunks = cut_into_chunks(document, grid, ChunkingStrategy())

    ranges = windows_of_chunks(chunks, cut_into_windows(grid, 800))

    assert ranges[0].tolist() == [0, 4]
    assert ranges[1].tolist() == [2, 6]
