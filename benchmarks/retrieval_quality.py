"""How well file_search finds: SciFact, XQuAD and the filings of FinanceBench.

    python -m benchmarks.retrieval_quality scifact  DATA [--peers PYTHON]
    python -m benchmarks.retrieval_quality xquad    DATA
    python -m benchmarks.retrieval_quality filings  DATA [--documents 30]

DATA is a folder with the published files of the set, fetched beforehand:
scifact: `corpus.jsonl`, `queries.jsonl`, `qrels/test.tsv` (BEIR's layout);
xquad: `xquad.LANGUAGE.json` or `LANGUAGE.json`;
filings: `financebench_open_source.jsonl` and `pdfs/`.
The index is kept in DATA, or with `--postgres URL` in that database, so a second run measures
ranking alone. PYTHON is an interpreter with `pip install chromadb lancedb`, which search the same
vectors, one for each text. `--models` names the folder for the embedding model. Prints one line a
figure: keywords alone, meaning alone, and both.
"""

import argparse
import asyncio
import hashlib
import json
import math
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.tools.file_search.chunking import ChunkingStrategy, cut_into_chunks, tokenize
from lib.tools.file_search.embedding.embedder import Embedder
from lib.tools.file_search.embedding.local import LocalEmbedder
from lib.tools.file_search.embedding.weights import MINILM, fetch_model
from lib.tools.file_search.embedding.windows import cut_into_windows, windows_of_chunks
from lib.tools.file_search.index.postgres import PostgresIndex
from lib.tools.file_search.index.protocol import FileKey, FileVectors, Index, IndexedFile, Scope
from lib.tools.file_search.index.sqlite import SqliteIndex
from lib.tools.file_search.ingestion import NewFile, ingest_file
from lib.tools.file_search.languages import language_of
from lib.tools.file_search.parsing.document import Page, ParsedDocument
from lib.tools.file_search.ranking import RankingOptions
from lib.tools.file_search.search import SearchResult, search

FINGERPRINT = "benchmark"


@dataclass(frozen=True)
class Bench:
    """What every set is measured with."""

    index: Index
    embedder: Embedder
    data: Path

    async def results(
        self, store_id: str, query: str, limit: int, weights: tuple[float, float]
    ) -> list[SearchResult]:
        options = RankingOptions(limit, 0.0, *weights)
        return await search(self.index, self.embedder, Scope([store_id]), query, options)


WEIGHTS = {"keywords": (1.0, 0.0), "meaning": (0.0, 1.0), "both": (1.0, 1.0)}


async def scifact(bench: Bench, peers: str | None) -> None:
    corpus = {row["_id"]: f"{row['title']}\n\n{row['text']}" for row in _lines(bench, "corpus")}
    relevant: dict[str, set[str]] = {}
    for line in (bench.data / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        query_id, document_id, _ = line.split("\t")
        relevant.setdefault(query_id, set()).add(document_id)
    queries = {
        row["_id"]: row["text"] for row in _lines(bench, "queries") if row["_id"] in relevant
    }
    await _index_texts(bench, "scifact", corpus)
    for name, weights in WEIGHTS.items():
        total = 0.0
        for query_id, query in queries.items():
            results = await bench.results("scifact", query, 10, weights)
            found = [result.file.key.file_id for result in results]
            total += _ndcg(found, relevant[query_id])
        print(f"SciFact, {name}: nDCG@10 {total / len(queries):.3f} ({len(queries)} queries)")
    if peers:
        await _compare(bench, peers, corpus, queries, relevant)


async def _compare(
    bench: Bench,
    peers: str,
    corpus: Mapping[str, str],
    queries: Mapping[str, str],
    relevant: Mapping[str, set[str]],
) -> None:
    ids = list(corpus)
    vectors = [await _vector(bench, text) for text in corpus.values()]
    asked = [await bench.embedder.embed_query(query) for query in queries.values()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "texts.json").write_text(json.dumps(list(corpus.values())))
        np.save(folder / "vectors.npy", np.stack(vectors))
        np.save(folder / "queries.npy", np.stack([each.ravel() for each in asked]))
        script = Path(__file__).with_name("retrieval_peers.py")
        asking = await asyncio.create_subprocess_exec(peers, script, folder, stdout=subprocess.PIPE)
        answer, _ = await asking.communicate()
    for peer in map(json.loads, answer.splitlines()):
        found = [[ids[place] for place in places[:10]] for places in peer["found"]]
        total = sum(map(_ndcg, found, (relevant[query_id] for query_id in queries)))
        print(f"SciFact, {peer['peer']}: nDCG@10 {total / len(queries):.3f}")


async def _vector(bench: Bench, text: str) -> NDArray[np.float32]:
    """Of what one vector can hold, the beginning."""
    window = cut_into_windows(tokenize(text), ChunkingStrategy().max_chunk_size_tokens)[0]
    [vector] = await bench.embedder.embed_passages(
        [text[window.start : window.end]], lambda _: None
    )
    return np.asarray(vector, np.float32)


async def xquad(bench: Bench) -> None:
    for path in sorted(bench.data.glob("*.json")):
        language = path.stem.removeprefix("xquad.")
        paragraphs = [
            paragraph
            for article in json.loads(path.read_text())["data"]
            for paragraph in article["paragraphs"]
        ]
        texts = {str(place): each["context"] for place, each in enumerate(paragraphs)}
        await _index_texts(bench, f"xquad-{language}", texts)
        asked = [
            (question["question"], str(place))
            for place, paragraph in enumerate(paragraphs)
            for question in paragraph["qas"]
        ]
        figures = [
            f"{name} {await _recall(bench, f'xquad-{language}', asked, weights):.3f}"
            for name, weights in WEIGHTS.items()
        ]
        print(f"XQuAD {language}, R@5: {', '.join(figures)} ({len(asked)} questions)")


async def filings(bench: Bench, documents: int) -> None:
    rows = [row for row in _lines(bench, "financebench_open_source") if _pdf(bench, row).is_file()]
    chosen = {name for name, _ in Counter(row["doc_name"] for row in rows).most_common(documents)}
    for name in sorted(chosen):
        await _ingest_pdf(bench, f"{name}.pdf")
    rows = [row for row in rows if row["doc_name"] in chosen]
    for name, weights in WEIGHTS.items():
        hits: Counter[int] = Counter()
        for row in rows:
            results = await bench.results("filings", row["question"], 20, weights)
            for limit in (5, 20):
                hits[limit] += any(_is_gold(result, row) for result in results[:limit])
        figures = ", ".join(f"first {limit}: {hits[limit] / len(rows):.3f}" for limit in (5, 20))
        print(f"Filings, {name}: gold page {figures} ({len(rows)} questions, {len(chosen)} files)")


async def _recall(
    bench: Bench,
    store_id: str,
    asked: Sequence[tuple[str, str]],
    weights: tuple[float, float],
) -> float:
    hits = 0
    for question, wanted in asked:
        results = await bench.results(store_id, question, 5, weights)
        hits += any(result.file.key.file_id == wanted for result in results)
    return hits / len(asked)


def _is_gold(result: SearchResult, row: Mapping[str, Any]) -> bool:
    pages = {page.number for page in result.chunk.pages}
    return any(
        result.file.filename == f"{evidence['doc_name']}.pdf"
        and evidence["evidence_page_num"] + 1 in pages
        for evidence in row["evidence"]
    )


def _ndcg(found: Sequence[str], relevant: set[str]) -> float:
    gain = sum(1 / math.log2(place + 2) for place, each in enumerate(found) if each in relevant)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(len(relevant), 10)))
    return gain / ideal


async def _index_texts(bench: Bench, store_id: str, texts: Mapping[str, str]) -> None:
    """Index texts as files of their own, without a process for each to parse it."""
    known = {file.key.file_id for file in bench.index.files(store_id) if file.embedder}
    new = {file_id: text for file_id, text in texts.items() if file_id not in known}
    for file_id, text in new.items():
        key = FileKey(store_id, file_id)
        document = ParsedDocument([Page(text)])
        grid = tokenize(text)
        chunks = cut_into_chunks(document, grid, ChunkingStrategy())
        described = IndexedFile(key, f"{file_id}.txt", FINGERPRINT, language=language_of(text))
        bench.index.add_file(described, chunks)
        vectors = None
        if bench.embedder.knows(text):
            windows = cut_into_windows(grid, ChunkingStrategy().max_chunk_size_tokens)
            parts = [text[window.start : window.end] for window in windows]
            rows = await bench.embedder.embed_passages(parts, lambda _: None)
            vectors = FileVectors(rows, windows_of_chunks(chunks, windows))
        bench.index.add_vectors(key, FINGERPRINT, bench.embedder.name, vectors)


async def _ingest_pdf(bench: Bench, name: str) -> None:
    path = bench.data / "pdfs" / name
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    new = NewFile(FileKey("filings", name), path, name, digest)
    await ingest_file(bench.index, bench.embedder, new, lambda _: None)


def _pdf(bench: Bench, row: Mapping[str, Any]) -> Path:
    return bench.data / "pdfs" / f"{row['doc_name']}.pdf"


def _lines(bench: Bench, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (bench.data / f"{name}.jsonl").read_text().splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", choices=("scifact", "xquad", "filings"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=Path, default=Path("data/models"))
    parser.add_argument("--documents", type=int, default=30)
    parser.add_argument("--postgres")
    parser.add_argument("--peers")
    given = parser.parse_args()
    embedder = LocalEmbedder(fetch_model(MINILM, given.models, lambda *_: None))
    path = given.data / "benchmark.db"
    index = PostgresIndex(given.postgres) if given.postgres else SqliteIndex(path)
    bench = Bench(index, embedder, given.data)
    sets: dict[str, Callable[[], Any]] = {
        "scifact": lambda: scifact(bench, given.peers),
        "xquad": lambda: xquad(bench),
        "filings": lambda: filings(bench, given.documents),
    }
    asyncio.run(sets[given.set]())


if __name__ == "__main__":
    main()
