"""What the benchmarks share: the server as shipped, a model endpoint beside it, a thin client.

Every script prints what it measured beside a baseline taken in the same run, and the limit asked
for; it never passes or fails by itself, since a busy machine says nothing about the code.
"""

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psutil

Json = dict[str, Any]

ROOT = Path(__file__).parent.parent
MODEL = "gpt-4o-mini"
_START_WITHIN = 60.0
_STOP_WITHIN = 20.0
_STREAM_LIMIT = 1 << 20


class Server:
    """A process that was started for the benchmark. Times are seconds, sizes megabytes."""

    def __init__(self, process: psutil.Popen, base_url: str) -> None:
        self.process = process
        self.base_url = base_url

    def cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> float:
        """What is resident now."""
        return float(self.process.memory_info().rss) / 1e6

    def peak_memory(self) -> float:
        """The most that was ever resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6

    def pin_to(self, core: int) -> None:
        """Run on one core only, with all threads."""
        for thread in self.process.threads():
            os.sched_setaffinity(thread.id, {core})


class ModelEndpoint(Server):
    """The tests' model endpoint double, in a process of its own."""

    def answer_with(self, **answer: Any) -> None:
        """What every request gets; the fields of `tests.doubles.model_wire.Answer`.

        What was recorded of earlier requests is forgotten.
        """
        url = self.base_url.removesuffix("/v1") + "/control"
        httpx2.post(url, json={"reset": True, "default": answer}).raise_for_status()


@contextmanager
def model_endpoint() -> Iterator[ModelEndpoint]:
    command = [sys.executable, "-m", "tests.doubles.model_endpoint", "--port", "0"]
    process = psutil.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        port = int(process.stdout.readline())
        yield ModelEndpoint(process, f"http://127.0.0.1:{port}/v1")
    finally:
        _stop(process)


@contextmanager
def studio(
    model_url: str, data_dir: Path | None = None, more: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """The product, started the way its README says, with its data in a directory of its own.

    `more` are settings by their names in the environment.
    """
    with tempfile.TemporaryDirectory() as scratch:
        port = free_port()
        log = Path(scratch) / "server.log"
        settings = {
            "MODEL_BASE_URL": model_url,
            "MODEL_API": "chat_completions",
            "DATA_DIR": str(data_dir or Path(scratch) / "data"),
            "STREAMLIT_SERVER_PORT": str(port),
            "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
            "STREAMLIT_SERVER_HEADLESS": "true",
            **(more or {}),
        }
        command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py"]
        with log.open("w") as output:
            process = psutil.Popen(
                command, cwd=ROOT, env={**os.environ, **settings}, stdout=output, stderr=output
            )
        try:
            base_url = f"http://127.0.0.1:{port}/v1"
            _wait_until_healthy(process, base_url, log)
            yield Server(process, base_url)
        finally:
            _stop(process)


class Connection:
    """One kept-alive HTTP connection, so thin that the client is not what is measured."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._host, self._port, self._prefix = parts.hostname, parts.port, parts.path
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def get(self, path: str) -> Json:
        return await self._whole("GET", path, None)

    async def post(self, path: str, body: Json) -> Json:
        return await self._whole("POST", path, body)

    async def stream(self, path: str, body: Json) -> AsyncIterator[tuple[str, str]]:
        """Server-sent events as (name, data), each as soon as it is here."""
        await self._send("POST", path, body)
        await self._read_headers()
        text = b""
        async for chunk in self._chunks():
            text += chunk
            *events, text = text.split(b"\n\n")
            for event in events:
                yield _name_and_data(event.decode())

    def close(self) -> None:
        if self._writer:
            self._writer.close()

    async def _whole(self, method: str, path: str, body: Json | None) -> Json:
        await self._send(method, path, body)
        length = await self._read_headers()
        assert self._reader and length is not None
        answer: Json = json.loads(await self._reader.readexactly(length))
        return answer

    async def _send(self, method: str, path: str, body: Json | None) -> None:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(
                self._host, self._port, limit=_STREAM_LIMIT
            )
        data = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {self._prefix}{path} HTTP/1.1\r\nHost: {self._host}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        self._writer.write(head.encode() + data)

    async def _read_headers(self) -> int | None:
        """Returns the length of the body, None when it comes in chunks. Raises on an error."""
        assert self._reader
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = None
        for line in head.splitlines():
            if line.startswith("content-length:"):
                length = int(line.partition(":")[2])
        if not head.startswith("http/1.1 200"):
            body = await self._reader.readexactly(length or 0)
            raise RuntimeError(f"{head.splitlines()[0]}: {body.decode()}")
        return length

    async def _chunks(self) -> AsyncIterator[bytes]:
        assert self._reader
        while size := int(await self._reader.readline(), 16):
            yield (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readline()


async def new_thread(connection: Connection) -> str:
    """A thread with one question in it; returns its id."""
    question = {"role": "user", "content": "I need to solve the equation 3x + 11 = 14."}
    thread = await connection.post("/threads", {"messages": [question]})
    return str(thread["id"])


async def new_assistant(connection: Connection) -> str:
    body = {"model": MODEL, "name": "Math Tutor", "instructions": "You are a math tutor. Be brief."}
    return str((await connection.post("/assistants", body))["id"])


def direct_call() -> Json:
    """The model call that a run on `new_thread` comes to, for calling the endpoint directly."""
    return {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "You are a math tutor. Be brief."},
            {"role": "user", "content": "I need to solve the equation 3x + 11 = 14."},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def report(title: str, rows: Sequence[tuple[str, str, str]]) -> None:
    """Print what was measured: (what, value, limit asked or nothing)."""
    print(f"\n{title}")
    width = max(len(what) for what, _, _ in rows)
    for what, value, limit in rows:
        asked = f"   (asked: {limit})" if limit else ""
        print(f"  {what:<{width}}  {value}{asked}")


def p95(taken: Sequence[float]) -> float:
    return statistics.quantiles(taken, n=20)[-1] if len(taken) > 1 else taken[0]


def milliseconds(seconds: Sequence[float]) -> str:
    """The median and the spread of times, as text."""
    tenths = statistics.quantiles(seconds, n=10)
    median = statistics.median(seconds) * 1000
    return (
        f"{median:.1f} ms (fastest tenth {tenths[0] * 1000:.1f}, slowest {tenths[-1] * 1000:.1f})"
    )


def _name_and_data(event: str) -> tuple[str, str]:
    name, data = "", ""
    for line in event.split("\n"):
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data = value
    return name, data


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_healthy(process: psutil.Popen, base_url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_WITHIN
    while time.monotonic() < deadline:
        try:
            httpx2.get(f"{base_url}/health", timeout=10).raise_for_status()
            return
        except httpx2.HTTPError:
            time.sleep(0.1)
        if process.poll() is not None:
            break
    raise RuntimeError(f"The server did not start:\n{log.read_text()[-4000:]}")


def _stop(process: psutil.Popen) -> None:
    if not process.is_running():
        return
    process.terminate()
    try:
        process.wait(_STOP_WITHIN)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait()
