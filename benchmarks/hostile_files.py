"""Do other requests stay quick while huge uploads and very many files come in?

    python -m benchmarks.hostile_files [--files 10000] [--data-dir DIR]

An upload of 1 GB, with and without its size told beforehand, that must be refused; one of 512 MB,
the most that is taken; then tiny files, uploaded and put in one vector store by batches of 2,000.
`runs.retrieve` and `/health` are timed meanwhile and, just before and after, with nothing going on.
DIR must have 4 GB free. Nothing is embedded: files are searchable before that, and it is work for
hours at low priority.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import httpx2

from benchmarks.harness import (
    Connection,
    Json,
    Server,
    model_endpoint,
    p95,
    report,
    studio,
)
from benchmarks.retrieve import finished_run

MB = 1024 * 1024
REFUSED_MB = 1024
LARGEST_MB = 512
FILES_OF_BATCH = 2000
UPLOADS_AT_ONCE = 4
QUIET_SECONDS = 10.0
PAUSE = 0.02
"""Seconds between two requests of the one who asks."""
BOUNDARY = "hostile"
Row = tuple[str, str, str]
Times = dict[str, list[float]]
T = TypeVar("T")


@dataclass(frozen=True)
class Bench:
    """`paths` are what is asked for while something else goes on."""

    server: Server
    http: httpx2.AsyncClient
    paths: list[str]

    async def compare(self, name: str, work: Coroutine[Any, Any, T]) -> tuple[T, list[Row]]:
        """Do the work between two quiet times; rows of seconds, memory and p95 of other requests.

        Two, since a neighbour of the machine may make one of them less than quiet.
        """
        _, before, _ = await self._meanwhile(asyncio.sleep(QUIET_SECONDS))
        memory, written = self.server.peak_memory(), self._written()
        result, busy, seconds = await self._meanwhile(work)
        _, after, _ = await self._meanwhile(asyncio.sleep(QUIET_SECONDS))
        rows = [
            (f"{name}: seconds", f"{seconds:.1f}", ""),
            (f"{name}: peak memory grew by", f"{self.server.peak_memory() - memory:.0f} MB", ""),
            (f"{name}: written to disk", f"{self._written() - written:.0f} MB", ""),
        ]
        for path, label in zip(self.paths, ("runs.retrieve", "/health"), strict=True):
            quiet = before[path] + after[path]
            usual, slow = p95(quiet) * 1000, p95(busy[path]) * 1000
            what = f"{name}: {label} p95 {usual:.1f} → {slow:.1f} ms, ratio"
            rows.append((what, f"{slow / usual:.2f}", "≤ 2"))
            usual, slow = median(quiet) * 1000, median(busy[path]) * 1000
            what = f"{name}: {label} median {usual:.1f} → {slow:.1f} ms, ratio"
            rows.append((what, f"{slow / usual:.2f}", ""))
        return result, rows

    async def _meanwhile(self, work: Coroutine[Any, Any, T]) -> tuple[T, Times, float]:
        """What came of the work, how long each other request took, and the seconds of the work."""
        taken: Times = {path: [] for path in self.paths}
        asking = asyncio.create_task(self._keep_asking(taken))
        began = time.perf_counter()
        result = await work
        seconds = time.perf_counter() - began
        asking.cancel()
        return result, taken, seconds

    async def _keep_asking(self, taken: Times) -> None:
        connection = Connection(self.server.base_url)
        while True:
            for path, times in taken.items():
                began = time.perf_counter()
                await connection.get(path)
                times.append(time.perf_counter() - began)
                await asyncio.sleep(PAUSE)

    def _written(self) -> float:
        return float(self.server.process.io_counters().write_bytes) / 1e6


async def upload(http: httpx2.AsyncClient, name: str, size: int, is_told: bool) -> httpx2.Response:
    """Send a file of `size` bytes in pieces; its size is told beforehand or not."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    ).encode()
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()

    async def body() -> AsyncIterator[bytes]:
        yield head
        piece = b"A line of a huge file, again and again.\n" * (MB // 40)
        for _ in range(size // len(piece)):
            yield piece
        yield b"x" * (size % len(piece))
        yield tail

    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    if is_told:
        headers["Content-Length"] = str(len(head) + size + len(tail))
    return await http.post("/files", content=body(), headers=headers)


async def refused(bench: Bench, name: str, is_told: bool) -> list[Row]:
    work = upload(bench.http, "huge.txt", REFUSED_MB * MB, is_told)
    answer, rows = await bench.compare(name, work)
    return [(f"{name}: answer", f"{answer.status_code} {message(answer)}", "413"), *rows]


async def largest(bench: Bench) -> list[Row]:
    name = f"{LARGEST_MB} MB"
    work = upload(bench.http, "largest.txt", LARGEST_MB * MB, is_told=True)
    answer, rows = await bench.compare(f"{name}, uploaded", work)
    rows.insert(0, (f"{name}: answer", str(answer.status_code), "200"))
    store = await made(bench, "/vector_stores", {})
    body = {"file_id": answer.json()["id"]}
    await made(bench, f"/vector_stores/{store['id']}/files", body)
    _, more = await bench.compare(f"{name}, read", ended(bench, store["id"]))
    path = f"/vector_stores/{store['id']}/files/{body['file_id']}"
    file = (await bench.http.get(path)).json()
    reason = (file["last_error"] or {}).get("message", "")
    return [*rows, *more, (f"{name}: ended", f"{file['status']} {reason}", "")]


async def tiny_files(bench: Bench, count: int) -> list[Row]:
    name = f"{count:,} tiny files"
    ids, rows = await bench.compare(f"{name}, uploaded", upload_tiny(bench, count))
    store_id = (await made(bench, "/vector_stores", {}))["id"]

    async def put_in() -> None:
        for first in range(0, count, FILES_OF_BATCH):
            body = {"file_ids": ids[first : first + FILES_OF_BATCH]}
            await made(bench, f"/vector_stores/{store_id}/file_batches", body)
        await ended(bench, store_id)

    _, more = await bench.compare(f"{name}, made searchable", put_in())
    counts = (await bench.http.get(f"/vector_stores/{store_id}")).json()["file_counts"]
    body = {"query": f"subject{count // 2}"}
    found = (await made(bench, f"/vector_stores/{store_id}/search", body))["data"]
    return [
        *rows,
        *more,
        (f"{name}: completed of total", f"{counts['completed']} of {counts['total']}", "all"),
        (f"{name}: one is found by its word", found[0]["filename"], f"note{count // 2}.txt"),
    ]


async def upload_tiny(bench: Bench, count: int) -> list[str]:
    numbers = iter(range(count))
    ids: list[str] = []

    async def some() -> None:
        for number in numbers:
            text = f"Note {number} is about subject{number}.".encode()
            answer = await bench.http.post(
                "/files",
                files={"file": (f"note{number}.txt", text)},
                data={"purpose": "assistants"},
            )
            ids.append(answer.raise_for_status().json()["id"])

    await asyncio.gather(*(some() for _ in range(UPLOADS_AT_ONCE)))
    return ids


async def made(bench: Bench, path: str, body: Json) -> Json:
    answer: Json = (await bench.http.post(path, json=body)).raise_for_status().json()
    return answer


async def ended(bench: Bench, store_id: str) -> None:
    path = f"/vector_stores/{store_id}"
    while (await bench.http.get(path)).json()["status"] == "in_progress":  # noqa: ASYNC110
        await asyncio.sleep(0.5)


def message(answer: httpx2.Response) -> str:
    error = answer.json().get("error") or {}
    return str(error.get("message", ""))


async def measure(server: Server, count: int, data_dir: Path) -> list[Row]:
    paths = [await finished_run(server.base_url), "/health"]
    async with httpx2.AsyncClient(base_url=server.base_url, timeout=600) as http:
        bench = Bench(server, http, paths)
        rows = await refused(bench, f"{REFUSED_MB} MB, size told", is_told=True)
        rows += await refused(bench, f"{REFUSED_MB} MB, size not told", is_told=False)
        left = sum(
            path.stat().st_size for path in (data_dir / "files").rglob("*") if path.is_file()
        )
        rows.append(("bytes left on disk by what was refused", str(left), "0"))
        rows += await largest(bench)
        rows += await tiny_files(bench, count)
    return [*rows, ("peak memory of the server", f"{server.peak_memory():.0f} MB", "")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--data-dir", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.data_dir) as scratch:
        data_dir, off = Path(scratch) / "data", {"EMBEDDER": "off"}
        with model_endpoint() as endpoint, studio(endpoint.base_url, data_dir, off) as server:
            endpoint.answer_with(text="Fine.")
            rows = asyncio.run(measure(server, given.files, data_dir))
    report("Huge uploads and very many files", rows)


if __name__ == "__main__":
    main()
