"""A model hub on this machine that has one small encoder, and behaves as the real one does.

Large files are answered with a redirect to another address, as the real hub answers for files in
its large-file storage; small ones directly; unknown ones with 404 and the hub's own error header.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from safetensors.numpy import save
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from lib.engine import ingestion
from lib.tools.file_search.embedding import weights
from lib.tools.file_search.embedding.onnx_export import EncoderShape
from lib.tools.file_search.embedding.weights import (
    MINILM,
    TOKENIZER,
    WEIGHTS,
    PublishedFile,
    PublishedModel,
)

REPOSITORY = "someone/tiny-encoder"
SIZE = 32
# More than the product reads at once, so that a download has a middle.
VOCABULARY = 20_000
HELD_AFTER = 1_500_000
RETRY_SECONDS = 0.2

Mood = Literal["serving", "down", "holding", "breaking", "forging"]


@dataclass
class EmbeddingHub:
    """`mood` says how it answers: at once; not at all; `holding` back the second half until
    released; `breaking` off in the middle; or `forging` bytes that are not the published ones."""

    files: dict[str, bytes]
    mood: Mood = "serving"
    asked_for: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(map(len, self.files.values()))


@contextmanager
def embedding_hub(monkeypatch: pytest.MonkeyPatch, wheels: Path) -> Iterator[EmbeddingHub]:
    """The product's embedder comes from this hub, and pip finds nothing outside `wheels`."""
    hub = EmbeddingHub(_files())
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    # What the environment variable HF_ENDPOINT sets when the library is imported.
    template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(weights, "MINILM", _published(hub.files))
    monkeypatch.setattr(ingestion, "_RETRY_AFTER", RETRY_SECONDS)
    monkeypatch.setattr(ingestion, "_RETRY_AT_LATEST", RETRY_SECONDS)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    yield hub
    hub.released.set()
    server.shutdown()
    server.server_close()


def _handler(hub: EmbeddingHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.asked_for.append(self.path)
            folder, _, name = self.path.rpartition("/")
            if hub.mood == "down":
                self._head(503, 0)
            elif name not in hub.files:
                self._head(404, 0, {"X-Error-Code": "EntryNotFound"})
            elif folder == "/storage" or len(hub.files[name]) < 1_000_000:
                self._send(hub.files[name])
            else:
                self._head(302, 0, {"Location": f"http://{self.headers['Host']}/storage/{name}"})

        def _send(self, content: bytes) -> None:
            if hub.mood == "forging":
                content = bytes(len(content))
            self._head(200, len(content))
            self.wfile.write(content[:HELD_AFTER])
            self.wfile.flush()
            if hub.mood == "holding":
                hub.released.wait()
            if hub.mood == "breaking" and len(content) > HELD_AFTER:
                self.close_connection = True
                return
            self.wfile.write(content[HELD_AFTER:])

        def _head(self, status: int, length: int, more: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (more or {}).items():
                self.send_header(name, value)
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("Content-Length", str(length))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _published(files: dict[str, bytes]) -> PublishedModel:
    return PublishedModel(
        name=MINILM.name,
        hub_repository=REPOSITORY,
        package="tiny-encoder==1.0",
        shape=EncoderShape(layers=1, heads=2),
        files=tuple(
            PublishedFile(name, hashlib.sha256(content).hexdigest(), len(content), name)
            for name, content in files.items()
        ),
    )


@cache
def _files() -> dict[str, bytes]:
    return {WEIGHTS: _weights(), TOKENIZER: _tokenizer()}


def _weights() -> bytes:
    random = np.random.default_rng(1)
    layer = "encoder.layer.0"
    shapes = {
        "embeddings.word_embeddings.weight": (VOCABULARY, SIZE),
        "embeddings.position_embeddings.weight": (512, SIZE),
        "embeddings.token_type_embeddings.weight": (2, SIZE),
        f"{layer}.intermediate.dense.weight": (4 * SIZE, SIZE),
        f"{layer}.intermediate.dense.bias": (4 * SIZE,),
        f"{layer}.output.dense.weight": (SIZE, 4 * SIZE),
        f"{layer}.output.dense.bias": (SIZE,),
        f"{layer}.attention.output.dense.weight": (SIZE, SIZE),
        f"{layer}.attention.output.dense.bias": (SIZE,),
    }
    for part in ("query", "key", "value"):
        shapes[f"{layer}.attention.self.{part}.weight"] = (SIZE, SIZE)
        shapes[f"{layer}.attention.self.{part}.bias"] = (SIZE,)
    tensors = {
        name: random.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()
    }
    for norm in ("embeddings", f"{layer}.attention.output", f"{layer}.output"):
        tensors[f"{norm}.LayerNorm.weight"] = np.ones(SIZE, np.float32)
        tensors[f"{norm}.LayerNorm.bias"] = np.zeros(SIZE, np.float32)
    return save(tensors)


def _tokenizer() -> bytes:
    words = ["[UNK]", "[CLS]", "[SEP]", "cats", "sleep", "a", "lot", "and", "hunt", "at", "dusk"]
    tokenizer = Tokenizer(
        models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return str(tokenizer.to_str()).encode()
