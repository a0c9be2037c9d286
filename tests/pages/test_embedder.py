"""What the Knowledge page says of the embedding model's first download."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI
from streamlit.testing.v1 import AppTest

from lib.dashboard.studio_api import read_health
from tests.dashboard.running_api import client_of, running_api
from tests.doubles.embedding_hub import EmbeddingHub, embedding_hub
from tests.doubles.model_endpoint import ModelEndpoint
from tests.pages.conftest import OpenPage
from tests.pages.elements import words


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[EmbeddingHub]:
    with embedding_hub(monkeypatch, tmp_path) as hub:
        yield hub


@pytest.fixture
def api_url(
    endpoint: ModelEndpoint,
    tmp_path: Path,
    hub: EmbeddingHub,  # noqa: ARG001
) -> Iterator[str]:
    more = {"code_interpreter": "off", "embedder": "minilm"}
    with running_api(endpoint.base_url, tmp_path / "data", None, **more) as url:
        yield url


@pytest.fixture
def client(api_url: str) -> OpenAI:
    return client_of(api_url)


def fill(client: OpenAI) -> str:
    store = client.vector_stores.create(name="Animals")
    client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("cats.md", b"Cats sleep a lot and hunt at dusk.")
    )
    return store.id


def wait_for(client: OpenAI, phase: str) -> None:
    """Returns once the embedder is there; the test's own time limit ends a hopeless wait."""
    while (state := read_health(client).embedder) is None or state.phase != phase:
        time.sleep(0.02)


def progress_words(page: AppTest) -> list[str]:
    return [element.proto.text for element in page.get("progress")]


def test_the_page_tells_how_far_the_download_is(
    open_page: OpenPage, client: OpenAI, hub: EmbeddingHub
) -> None:
    hub.mood = "holding"
    store_id = fill(client)
    wait_for(client, "downloading")

    page = open_page("knowledge", store=store_id)
    (shown,) = progress_words(page)
    hub.released.set()
    wait_for(client, "ready")
    page.run()

    assert not page.exception
    assert shown == (
        "The embedding model is being fetched. 1 of 3 MB. Keywords find your files already."
    )
    assert progress_words(page) == []


def test_the_page_says_why_a_download_failed(
    open_page: OpenPage, client: OpenAI, hub: EmbeddingHub
) -> None:
    hub.mood = "down"
    store_id = fill(client)
    wait_for(client, "failed")

    page = open_page("knowledge", store=store_id)

    assert not page.exception
    assert "could not be fetched: the model hub cannot be reached" in words(page)
    assert "Search is by keywords until then." in words(page)
