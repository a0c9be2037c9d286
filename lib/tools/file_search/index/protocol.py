"""What an index of chunks does, whatever database it lives in.

All methods block and may be called from any thread; each write is committed whole or not at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from lib.tools.file_search.chunking import Chunk
from lib.tools.file_search.embedding.embedder import Vectors
from lib.tools.file_search.index.filters import AttributeValue, Filter

# How much a word counts in the name of a file and in its text.
FILENAME_WEIGHT = 3.0
TEXT_WEIGHT = 1.0


class FileKey(NamedTuple):
    """A file in a store; the same file in two stores is indexed twice."""

    store_id: str
    file_id: str


@dataclass(frozen=True)
class IndexedFile:
    """A file as the index knows it.

    `fingerprint` tells which content and chunking the chunks come from; `language` is an ISO
    639-1 code, None when the language cannot be told. `embedder` names the
    embedder that has dealt with the file, None while none has: until then the file is found by
    keywords alone. `is_embedded` is False where that embedder does not know the language.
    """

    key: FileKey
    filename: str
    fingerprint: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    language: str | None = None
    embedder: str | None = None
    is_embedded: bool = False
    chunk_count: int = 0
    usage_bytes: int = 0


@dataclass(frozen=True)
class FileVectors:
    """A file's windows as vectors, and for each chunk its first and, exclusive, last window."""

    vectors: Vectors
    windows_of_chunks: NDArray[np.int32]


@dataclass(frozen=True)
class Scope:
    """Where to search: these stores, and in them the files that the filter lets through."""

    store_ids: Sequence[str]
    filter: Filter | None = None


class Match(NamedTuple):
    """A chunk that fits a query; `score` compares only with scores of the same search."""

    chunk_id: int
    score: float


@dataclass(frozen=True)
class StoredChunk:
    """A chunk and the file it belongs to."""

    chunk_id: int
    file: IndexedFile
    chunk: Chunk


class IndexUnavailableError(Exception):
    """The index's database does not answer at present: try again later. The text is a sentence."""


class Index(Protocol):
    def add_file(self, file: IndexedFile, chunks: Sequence[Chunk]) -> None:
        """Make a file findable by keywords, in place of what the key held before."""
        ...

    def add_vectors(
        self, key: FileKey, fingerprint: str, embedder: str, vectors: FileVectors | None
    ) -> None:
        """Make a file findable by meaning too; None notes that the embedder cannot read it.

        Nothing happens where the file is gone or has another fingerprint by now: the vectors
        belong to chunks that are no more.
        """
        ...

    def set_attributes(self, key: FileKey, attributes: Mapping[str, AttributeValue]) -> None: ...

    def remove_file(self, key: FileKey) -> bool:
        """True when there was such a file."""
        ...

    def remove_store(self, store_id: str) -> None: ...

    def file(self, key: FileKey) -> IndexedFile | None: ...

    def files(self, store_id: str) -> list[IndexedFile]: ...

    def chunks(self, key: FileKey) -> list[Chunk]:
        """The file's chunks in order; empty for an unknown file."""
        ...

    def search_keywords(self, scope: Scope, query: str, limit: int) -> list[Match]:
        """The best first; a higher score is better."""
        ...

    def search_vectors(
        self, scope: Scope, embedder: str, vector: Vectors, limit: int
    ) -> list[Match]:
        """The best first; the score is the cosine of the chunk's best window."""
        ...

    def filenames(self, chunk_ids: Sequence[int]) -> dict[int, str]:
        """The name of each chunk's file; chunks removed in the meantime are left out."""
        ...

    def stored_chunks(self, chunk_ids: Sequence[int]) -> list[StoredChunk]:
        """In the order asked for; chunks removed in the meantime are left out."""
        ...

    def close(self) -> None: ...
