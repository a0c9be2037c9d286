"""The real small model, fetched once by the product's own code, and doubles of its sources."""

import asyncio
import hashlib
import os
import random
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lib.models.embedded.catalogue import CATALOGUE, HubFile, Source, Weights, WheelMember, Wheels
from lib.models.embedded.weights import WeightsStore

PART_BYTES = 300_000
TINY = b"GGUF" + random.Random(1).randbytes(3 * PART_BYTES - 4)


@pytest.fixture(scope="session")
def small_model_dir() -> Path:
    """A data folder that holds smollm2-135m."""
    folder = Path(os.environ.get("STUDIO_TEST_CACHE", "~/.cache/assistants-studio-tests"))
    store = WeightsStore(folder.expanduser() / "models", lambda _state: None)
    asyncio.run(store.prepare("smollm2-135m"))
    return folder.expanduser()


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that pip takes wheels from, and nowhere else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub address where nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")


@dataclass
class HubDouble:
    """Serves one file as the hub does: a HEAD that tells its SHA-256, and ranges."""

    content: bytes
    sha256: str
    stop_after: int | None = None
    """Bytes after which a GET says nothing more."""
    status: int = 200
    ranges: list[str | None] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubDouble]:
    double = HubDouble(TINY, hashlib.sha256(TINY).hexdigest())
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(double))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield double
    double.released.set()
    server.shutdown()
    server.server_close()


def _handler(hub: HubDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._head(hub.status, len(hub.content))

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            hub.ranges.append(wanted)
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            body = hub.content[start:]
            self._head(206 if wanted else 200, len(body), start)
            self.wfile.write(body[: hub.stop_after])
            if hub.stop_after is not None:
                self.wfile.flush()
                hub.released.wait()

        def _head(self, status: int, length: int, start: int = 0) -> None:
            self.send_response(status)
            if status == 404:
                self.send_header("X-Error-Code", "EntryNotFound")
                length = 0
            if status == 206:
                total = len(hub.content)
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("ETag", f'"{hub.sha256}"')
            self.send_header("Content-Length", str(length))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def wheels_of(content: bytes, folder: Path) -> Wheels:
    """Builds wheels that hold the content in parts, and says where the parts are."""
    members = []
    for number, start in enumerate(range(0, len(content), PART_BYTES), start=1):
        member = WheelMember(f"tiny-part{number}", "1.0", f"tiny_part{number}/data.bin")
        write_wheel(folder, member, content[start : start + PART_BYTES])
        members.append(member)
    return Wheels(tuple(members))


def write_wheel(folder: Path, member: WheelMember, content: bytes) -> Path:
    name = f"{member.project.replace('-', '_')}-{member.version}"
    path = folder / f"{name}-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {member.project}\nVersion: {member.version}\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(member.member, content)
        wheel.writestr(f"{name}.dist-info/METADATA", metadata)
        wheel.writestr(
            f"{name}.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{name}.dist-info/RECORD", "")
    return path


def remove_wheels(folder: Path, pattern: str = "*") -> None:
    for wheel in folder.glob(pattern):
        wheel.unlink()


async def eventually(condition: Callable[[], object]) -> None:
    """Returns once the condition holds; the test's own time limit ends a hopeless wait."""
    while not condition():  # noqa: ASYNC110 - what is awaited happens in other processes
        await asyncio.sleep(0.02)


def offer(monkeypatch: pytest.MonkeyPatch, *sources: Source, content: bytes = TINY) -> str:
    """Puts weights with these sources into the catalogue; returns their name."""
    digest = hashlib.sha256(content).hexdigest()
    tiny = Weights("tiny", "tiny.gguf", sources, len(content), digest)
    monkeypatch.setitem(CATALOGUE, "tiny", tiny)
    return "tiny"


HUB_FILE = HubFile("owner/tiny", "tiny.gguf")
