"""Cuts a document into chunks of tokens, keeping where in the document each one lies."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lib.tools.file_search.parsing.document import ParsedDocument, ParseFailure

if TYPE_CHECKING:
    from bpe_openai import Encoding

ENCODING = "o200k_base"
LARGEST_FILE_TOKENS = 5_000_000
# The tokenizer takes 200,000 tokens at once, which no 50,000 characters can exceed. A piece ends
# before white space where it can, so that no word is cut in two.
_PIECE = re.compile(r".{1,50000}(?=\s|\Z)|.{1,50000}", re.DOTALL)


@dataclass(frozen=True)
class ChunkingStrategy:
    """The API's chunking strategy; the defaults are its `auto`.

    Raises ValueError with a sentence for numbers outside the published limits.
    """

    max_chunk_size_tokens: int = 800
    chunk_overlap_tokens: int = 400

    def __post_init__(self) -> None:
        if not 100 <= self.max_chunk_size_tokens <= 4096:
            raise ValueError("max_chunk_size_tokens must be between 100 and 4096.")
        if not 0 <= self.chunk_overlap_tokens <= self.max_chunk_size_tokens // 2:
            raise ValueError(
                "chunk_overlap_tokens must be between 0 and half of max_chunk_size_tokens."
            )


class PageStart(NamedTuple):
    """Page `number` begins at character `offset` of a chunk's text, or goes on there at 0."""

    offset: int
    number: int


@dataclass(frozen=True)
class Chunk:
    """A part of a document. `start` and `end` are characters of `ParsedDocument.text`; `pages` is
    empty where the format has no pages."""

    text: str
    start: int
    end: int
    tokens: int
    pages: tuple[PageStart, ...] = ()

    @property
    def first_page(self) -> int | None:
        return self.pages[0].number if self.pages else None

    @property
    def last_page(self) -> int | None:
        return self.pages[-1].number if self.pages else None

    def page_at(self, offset: int) -> int | None:
        """The page on which the character at `offset` of the chunk's text stands."""
        before = [page.number for page in self.pages if page.offset <= offset]
        return before[-1] if before else None


@dataclass(frozen=True)
class TokenGrid:
    """Where each token of a text begins: `offsets[i]` is its first character; one more at the
    end is the text's length."""

    text: str
    offsets: NDArray[np.int64]

    @property
    def tokens(self) -> int:
        return len(self.offsets) - 1

    def cut(self, first: int, last: int) -> tuple[int, int]:
        """The characters from token `first` up to, without, token `last`."""
        return int(self.offsets[first]), int(self.offsets[last])


def tokenize(text: str) -> TokenGrid:
    """Lay the token grid over a text. Raises ParseFailure past the published 5,000,000 tokens."""
    tokens = np.array(_encode(text), np.int64)
    if len(tokens) > LARGEST_FILE_TOKENS:
        raise ParseFailure("invalid_file", "The file holds more than 5,000,000 tokens of text.")
    ends_in_bytes = np.concatenate([[0], np.cumsum(_token_lengths()[tokens])])
    raw = np.frombuffer(text.encode(), np.uint8)
    # A byte that does not continue a character begins one, so counting them maps bytes to text.
    characters_before = np.concatenate([[0], np.cumsum((raw & 0xC0) != 0x80)])
    return TokenGrid(text, characters_before[ends_in_bytes])


def cut_into_chunks(
    document: ParsedDocument, grid: TokenGrid, strategy: ChunkingStrategy
) -> list[Chunk]:
    """The document's chunks in order; together they hold every character of it."""
    size = strategy.max_chunk_size_tokens
    step = size - strategy.chunk_overlap_tokens
    firsts = range(0, max(grid.tokens - strategy.chunk_overlap_tokens, 1), step)
    return [_chunk(document, grid, first, min(first + size, grid.tokens)) for first in firsts]


def joined_text(chunks: Sequence[Chunk]) -> str:
    """The document's text, put together from its chunks, which overlap."""
    parts: list[str] = []
    length = 0
    for chunk in chunks:
        parts.append(chunk.text[length - chunk.start :])
        length = chunk.end
    return "".join(parts)


def _chunk(document: ParsedDocument, grid: TokenGrid, first: int, last: int) -> Chunk:
    start, end = grid.cut(first, last)
    return Chunk(
        text=grid.text[start:end],
        start=start,
        end=end,
        tokens=last - first,
        pages=tuple(PageStart(*page) for page in document.pages_between(start, end)),
    )


def _encode(text: str) -> list[int]:
    tokens: list[int] = []
    for piece in _PIECE.findall(text):
        tokens += _encoding().encode_ordinary(piece)
    return tokens


@cache
def _encoding() -> "Encoding":
    # Its tables take most of a second to load: no start of the server has to wait for them.
    import bpe_openai

    return bpe_openai.get_encoding(ENCODING)


@cache
def _token_lengths() -> NDArray[np.int64]:
    encoding = _encoding()
    lengths = np.zeros(encoding.n_vocab, np.int64)
    values = encoding.token_byte_values()
    lengths[: len(values)] = [len(value) for value in values]
    return lengths


def count_tokens(text: str) -> int:
    """How many tokens a model is given with this text."""
    return len(_encode(text))
