"""Inserts and searches the same data in Chroma and LanceDB: `PYTHON retrieval_peers.py FOLDER`.

Run by `retrieval_speed` and `retrieval_quality` with an interpreter that has both
(`pip install chromadb lancedb`). Reads `texts.json`, `vectors.npy` and `queries.npy` from FOLDER;
prints one JSON object a peer, with the places of the texts found for each query.
"""

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

BATCH = 5_000
RESULTS = 20


def chroma(folder: Path, texts: list[str], vectors: Any) -> Any:
    import chromadb

    client = chromadb.PersistentClient(str(folder / "chroma"))
    collection = client.create_collection("bench", configuration={"hnsw": {"space": "cosine"}})
    for first in range(0, len(texts), BATCH):
        last = min(first + BATCH, len(texts))
        collection.add(
            ids=[str(place) for place in range(first, last)],
            documents=texts[first:last],
            embeddings=vectors[first:last],
        )

    def search(query: Any) -> list[int]:
        found = collection.query(query_embeddings=[query], n_results=RESULTS)
        return [int(place) for place in found["ids"][0]]

    return search


def lancedb_hnsw(folder: Path, texts: list[str], vectors: Any) -> Any:
    import lancedb
    import pyarrow

    flat = pyarrow.array(vectors.ravel(), pyarrow.float32())
    data = pyarrow.table(
        {
            "place": range(len(texts)),
            "text": texts,
            "vector": pyarrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
        }
    )
    table = lancedb.connect(str(folder / "lance")).create_table("bench", data)
    if len(texts) >= 50_000:
        table.create_index(metric="cosine", index_type="IVF_HNSW_SQ", num_partitions=1)
    table.create_fts_index("text")
    return lambda query: [
        row["place"] for row in table.search(query).distance_type("cosine").limit(RESULTS).to_list()
    ]


def main(folder: Path) -> None:
    import numpy

    texts = json.loads((folder / "texts.json").read_text())
    vectors, queries = numpy.load(folder / "vectors.npy"), numpy.load(folder / "queries.npy")
    for name, insert in (("Chroma", chroma), ("LanceDB", lancedb_hnsw)):
        wall, cpu = time.perf_counter(), time.process_time()
        search = insert(folder, texts, vectors)
        figures = {"peer": name, "insert_seconds": time.perf_counter() - wall}
        figures["insert_cpu"] = time.process_time() - cpu
        search(queries[0])
        times = []
        found: list[list[int]] = []
        for query in queries:
            start = time.perf_counter()
            found.append(search(query))
            times.append(time.perf_counter() - start)
        figures["search_ms"] = statistics.median(times) * 1000
        print(json.dumps({**figures, "found": found}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
