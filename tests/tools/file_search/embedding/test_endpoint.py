"""An embedding endpoint is used as OpenAI's is, and its failures are told without its key."""

import json

import httpx2
import openai
import pytest

from lib.tools.file_search.embedding.embedder import EmbeddingError
from lib.tools.file_search.embedding.endpoint import EndpointEmbedder


class Server:
    """Answers like `/v1/embeddings`, in any order, as servers may."""

    def __init__(self) -> None:
        self.status = 200
        self.batches: list[int] = []

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        if self.status != 200:
            return httpx2.Response(self.status, json={"error": {"message": "bad key sk-secret"}})
        texts = json.loads(request.content)["input"]
        self.batches.append(len(texts))
        rows = [
            {"object": "embedding", "index": place, "embedding": [float(len(text)), 1.0]}
            for place, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        body = {"object": "list", "model": "m", "data": rows[::-1], "usage": usage}
        return httpx2.Response(200, json=body)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def embedder(server: Server) -> EndpointEmbedder:
    client = openai.AsyncOpenAI(
        base_url="http://embeddings.test/v1",
        api_key="sk-secret",
        max_retries=0,
        http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(server.answer)),
    )
    return EndpointEmbedder("m", client)


async def test_texts_are_sent_in_batches_and_rows_come_back_in_order(
    embedder: EndpointEmbedder, server: Server
) -> None:
    texts = ["x" * (number % 7) for number in range(150)]
    told: list[int] = []

    vectors = await embedder.embed_passages(texts, told.append)

    assert server.batches == [64, 64, 22]
    assert told == [64, 128, 150]
    expected = await embedder.embed_query(texts[5])
    assert vectors[5].tolist() == expected.tolist()
    assert float(vectors[5] @ vectors[5]) == pytest.approx(1, abs=0.01)


async def test_a_refusal_is_told_without_the_key(
    embedder: EndpointEmbedder, server: Server
) -> None:
    server.status = 401

    with pytest.raises(EmbeddingError) as raised:
        await embedder.embed_query("x")

    assert "401" in str(raised.value)
    assert "sk-secret" not in str(raised.value)


def test_vectors_of_different_models_never_mix(embedder: EndpointEmbedder) -> None:
    assert embedder.name == "http://embeddings.test/v1/#m"
