"""Makes one file searchable: parse, chunk, keywords first, then vectors.

Each of the two results is committed whole, so a process killed at any moment leaves a file
untouched, findable by keywords, or complete; calling again goes on from there.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from lib.tools.file_search.chunking import (
    Chunk,
    ChunkingStrategy,
    cut_into_chunks,
    joined_text,
    tokenize,
)
from lib.tools.file_search.embedding.embedder import Embedder
from lib.tools.file_search.embedding.windows import cut_into_windows, windows_of_chunks
from lib.tools.file_search.index.filters import AttributeValue
from lib.tools.file_search.index.protocol import FileKey, FileVectors, Index, IndexedFile
from lib.tools.file_search.languages import language_of
from lib.tools.file_search.parsing.document import ParsedDocument
from lib.tools.file_search.parsing.parser import parse_file

NO_EMBEDDER = "none"

Stage = Literal["parsing", "indexing", "embedding", "done"]


@dataclass(frozen=True)
class Progress:
    """How far a file is. While embedding, `done` and `total` count windows of the text;
    `pages` is known once the file is parsed, for formats that have pages."""

    stage: Stage
    done: int = 0
    total: int = 0
    pages: int | None = None


@dataclass(frozen=True)
class NewFile:
    """A file to make searchable in a store.

    `path` holds the bytes, `filename` is the name its owner gave it, `sha256` that of its bytes.
    """

    key: FileKey
    path: Path
    filename: str
    sha256: str
    chunking: ChunkingStrategy = field(default_factory=ChunkingStrategy)
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


Report = Callable[[Progress], None]
Parse = Callable[[Path, str], Awaitable[ParsedDocument]]
"""As `parse_file`; `Parser.parse_file` is faster for many files."""


async def ingest_file(
    index: Index,
    embedder: Embedder | None,
    new: NewFile,
    report: Report,
    parse: Parse = parse_file,
) -> IndexedFile:
    """Make the file searchable and return it as the index knows it.

    Idempotent: what is already done for the same bytes, chunking and embedder is not done again.
    Raises ParseFailure when the file cannot be searched, and EmbeddingError when its vectors
    cannot be made; in the second case keywords find it all the same.
    """
    wanted = embedder.name if embedder else NO_EMBEDDER
    known = await asyncio.to_thread(index.file, new.key)
    if known is None or known.fingerprint != _fingerprint(new):
        await _index_keywords(index, new, report, parse)
    elif known.embedder == wanted:
        report(Progress("done"))
        return known
    vectors = await _vectors(index, embedder, new, report)
    fingerprint = _fingerprint(new)
    await _to_the_end(partial(index.add_vectors, new.key, fingerprint, wanted, vectors))
    report(Progress("done"))
    finished = await asyncio.to_thread(index.file, new.key)
    if finished is None:
        # Removed while it was being embedded: the removal stands.
        return replace(_described(new), embedder=wanted)
    return finished


async def remove_file(index: Index, key: FileKey) -> bool:
    """Forget the file in that store. True when it was there."""
    return await asyncio.to_thread(index.remove_file, key)


async def _index_keywords(index: Index, new: NewFile, report: Report, parse: Parse) -> None:
    report(Progress("parsing"))
    document = await parse(new.path, new.filename)
    report(Progress("indexing", pages=document.page_count))
    chunks = await asyncio.to_thread(_chunks, document, new.chunking)
    language = await asyncio.to_thread(language_of, document.text)
    await _to_the_end(partial(index.add_file, _described(new, language), chunks))


async def _to_the_end(write: Callable[[], None]) -> None:
    """Write in a thread; who is cancelled meanwhile waits for it.

    A thread cannot be stopped, and must not write over what comes after it.
    """
    writing = asyncio.ensure_future(asyncio.to_thread(write))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        raise


def _chunks(document: ParsedDocument, strategy: ChunkingStrategy) -> list[Chunk]:
    return cut_into_chunks(document, tokenize(document.text), strategy)


def _described(new: NewFile, language: str | None = None) -> IndexedFile:
    return IndexedFile(
        key=new.key,
        filename=new.filename,
        fingerprint=_fingerprint(new),
        attributes=new.attributes,
        language=language,
    )


def _fingerprint(new: NewFile) -> str:
    chunking = new.chunking
    parts = (
        new.sha256,
        new.filename,
        chunking.max_chunk_size_tokens,
        chunking.chunk_overlap_tokens,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


async def _vectors(
    index: Index, embedder: Embedder | None, new: NewFile, report: Report
) -> FileVectors | None:
    """The file's vectors, or None where there is no embedder for its language."""
    if embedder is None:
        return None
    chunks = await asyncio.to_thread(index.chunks, new.key)
    text = joined_text(chunks)
    if not chunks or not await asyncio.to_thread(embedder.knows, text):
        return None
    return await _embed(embedder, text, chunks, new.chunking, report)


async def _embed(
    embedder: Embedder,
    text: str,
    chunks: Sequence[Chunk],
    chunking: ChunkingStrategy,
    report: Report,
) -> FileVectors:
    grid = await asyncio.to_thread(tokenize, text)
    windows = cut_into_windows(grid, chunking.max_chunk_size_tokens)
    pages = chunks[-1].last_page
    report(Progress("embedding", 0, len(windows), pages))
    vectors = await embedder.embed_passages(
        [text[window.start : window.end] for window in windows],
        lambda done: report(Progress("embedding", done, len(windows), pages)),
    )
    return FileVectors(vectors, windows_of_chunks(chunks, windows))
