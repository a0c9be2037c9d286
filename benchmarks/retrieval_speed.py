"""How fast file_search indexes and finds, beside Chroma and LanceDB in the same run.

    python -m benchmarks.retrieval_speed pdf
    python -m benchmarks.retrieval_speed index --chunks 100000 [--peers PYTHON] [--postgres URL]

`pdf`: a 100-page PDF, until keywords find it and until it is embedded.
`index`: inserts chunks with vectors into one store and searches it with long and short queries;
PYTHON is an interpreter with `pip install chromadb lancedb`; URL names an
empty Postgres database to measure instead of SQLite. Memory is the growth of this
process from before the first search until after the last, and over the whole run.
"""

import argparse
import asyncio
import json
import pydoc_data.topics
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import fpdf
import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.retrieval_text import ZipfText
from lib.tools.file_search.chunking import Chunk
from lib.tools.file_search.embedding.embedder import EmbeddedSoFar, Vectors, unit_rows
from lib.tools.file_search.embedding.local import LocalEmbedder
from lib.tools.file_search.embedding.weights import MINILM, fetch_model
from lib.tools.file_search.index.postgres import PostgresIndex
from lib.tools.file_search.index.protocol import FileKey, FileVectors, Index, IndexedFile, Scope
from lib.tools.file_search.index.sqlite import SqliteIndex
from lib.tools.file_search.ingestion import NewFile, Progress, ingest_file
from lib.tools.file_search.ranking import RankingOptions
from lib.tools.file_search.search import search

PAGES = 100
WORDS_OF_PAGE = 380
WORDS_OF_CHUNK = 140
CHUNKS_OF_FILE = 100
QUERIES = 60


class GivenVectors:
    """Stands for an embedder whose vectors are known, so that the index alone is measured."""

    name = "given"

    def __init__(self, queries: Vectors) -> None:
        self._queries = list(queries)

    def knows(self, text: str) -> bool:
        return bool(text)

    async def embed_passages(self, texts: Sequence[str], embedded: EmbeddedSoFar) -> Vectors:
        raise NotImplementedError

    async def embed_query(self, text: str) -> Vectors:  # noqa: ARG002
        vector: Vectors = self._queries.pop()
        return vector


async def measure_pdf(models: Path, folder: Path) -> None:
    words = real_words()
    document = fpdf.FPDF()
    document.set_font("Helvetica", size=9)
    for page in range(PAGES):
        document.add_page()
        part = words[page * WORDS_OF_PAGE : (page + 1) * WORDS_OF_PAGE]
        document.multi_cell(0, text=" ".join(part))
    path = folder / "hundred.pdf"
    document.output(str(path))
    embedder = LocalEmbedder(fetch_model(MINILM, models, lambda *_: None))
    index = SqliteIndex(folder / "pdf.db")
    await warm_up(index, embedder, folder)
    start, cpu = time.perf_counter(), time.process_time()
    reached: dict[str, float] = {}

    def report(progress: Progress) -> None:
        if progress.stage not in reached:
            reached[progress.stage] = time.perf_counter() - start
            reached[f"{progress.stage}_cpu"] = time.process_time() - cpu

    await ingest_file(index, embedder, NewFile(FileKey("vs", "f"), path, "a.pdf", "x"), report)
    embedding = reached["done_cpu"] - reached["embedding_cpu"]
    print(f"100 pages: found by keywords after {reached['embedding']:.2f} s (goal 2)")
    print(f"100 pages: embedded in {embedding:.1f} s of CPU (goal 15)")


async def warm_up(index: SqliteIndex, embedder: LocalEmbedder, folder: Path) -> None:
    """Load the tokenizer, the language model and the embedder, as a running app has."""
    path = folder / "warm.txt"
    await asyncio.to_thread(path.write_text, "A short text in English to begin with.")
    new = NewFile(FileKey("warm", "f"), path, "warm.txt", "x")
    await ingest_file(index, embedder, new, lambda _: None)


def real_words() -> list[str]:
    """The words of Python's own manual, which comes with every Python."""
    text = " ".join(pydoc_data.topics.topics.values())
    return text.encode("latin-1", "ignore").decode("latin-1").split()


async def measure_index(chunks: int, peers: str | None, postgres: str | None, folder: Path) -> None:
    source = ZipfText()
    texts = [source.text(WORDS_OF_CHUNK) for _ in range(chunks)]
    vectors = source.vectors(chunks)
    queries = source.vectors(4 * QUERIES)
    process = psutil.Process()
    before = process.memory_info().rss
    index = PostgresIndex(postgres) if postgres else SqliteIndex(folder / "index.db")
    wall, cpu = time.perf_counter(), time.process_time()
    insert(index, texts, unit_rows(vectors))
    ours_wall, ours_cpu = time.perf_counter() - wall, time.process_time() - cpu
    size = "" if postgres else f", {(folder / 'index.db').stat().st_size / 1e6:.0f} MB"
    print(f"ours: {chunks} chunks in {ours_wall:.1f} s, CPU {ours_cpu:.1f} s{size}")
    inserted = process.memory_info().rss
    embedder = GivenVectors(unit_rows(queries))
    for name, words in (("short (3 words)", 3), ("long (25 words)", 25)):
        texts_asked = [source.text(words) for _ in range(QUERIES)]
        cpu = time.process_time()
        times = [await search_once(index, embedder, asked) for asked in texts_asked]
        cpu = (time.process_time() - cpu) / QUERIES * 1000
        median, worst = statistics.median(times) * 1000, max(times[1:]) * 1000
        print(
            f"ours: {name} search p50 {median:.1f} ms, worst but the first {worst:.1f} ms,"
            f" mean CPU {cpu:.1f} ms"
        )
    after = process.memory_info().rss
    print(f"ours: memory {(after - inserted) / 1e6:.0f} MB by search, {(after - before) / 1e6:.0f}")
    if peers:
        compare(peers, folder, texts, vectors, queries[:QUERIES], ours_wall, ours_cpu)


def insert(index: Index, texts: Sequence[str], vectors: Vectors) -> None:
    for first in range(0, len(texts), CHUNKS_OF_FILE):
        part = texts[first : first + CHUNKS_OF_FILE]
        key = FileKey("vs", f"file_{first}")
        ends = np.cumsum([len(text) for text in part])
        chunks = [
            Chunk(text, int(end) - len(text), int(end), 200)
            for text, end in zip(part, ends, strict=True)
        ]
        index.add_file(IndexedFile(key, f"report {first}.txt", "x"), chunks)
        places = np.arange(len(part), dtype=np.int32)
        ranges = np.stack([places, places + 1], axis=1)
        index.add_vectors(
            key, "x", GivenVectors.name, FileVectors(vectors[first : first + len(part)], ranges)
        )


async def search_once(index: Index, embedder: GivenVectors, query: str) -> float:
    start = time.perf_counter()
    await search(index, embedder, Scope(["vs"]), query, RankingOptions())
    return time.perf_counter() - start


def compare(
    peers: str,
    folder: Path,
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    queries: NDArray[np.float32],
    ours_wall: float,
    ours_cpu: float,
) -> None:
    (folder / "texts.json").write_text(json.dumps(list(texts)))
    np.save(folder / "vectors.npy", vectors)
    np.save(folder / "queries.npy", queries)
    script = Path(__file__).with_name("retrieval_peers.py")
    done = subprocess.run(
        [peers, str(script), str(folder)], check=True, capture_output=True, text=True
    )
    for line in done.stdout.splitlines():
        peer = json.loads(line)
        print(
            f"{peer['peer']}: insert {peer['insert_seconds']:.1f} s, CPU {peer['insert_cpu']:.1f} s"
            f" (ours {peer['insert_cpu'] / ours_cpu:.1f} x less CPU,"
            f" {peer['insert_seconds'] / ours_wall:.1f} x less time);"
            f" vector search p50 {peer['search_ms']:.1f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("pdf", "index"))
    parser.add_argument("--models", type=Path, default=Path("data/models"))
    parser.add_argument("--chunks", type=int, default=10_000)
    parser.add_argument("--peers")
    parser.add_argument("--postgres")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if given.what == "pdf":
            asyncio.run(measure_pdf(given.models, Path(name)))
        else:
            asyncio.run(measure_index(given.chunks, given.peers, given.postgres, Path(name)))


if __name__ == "__main__":
    main()
