"""The embedder behind any server that has OpenAI's `/v1/embeddings`."""

from collections.abc import Sequence

import numpy as np
import openai

from lib.tools.file_search.embedding.embedder import (
    EmbeddedSoFar,
    EmbeddingError,
    Vectors,
    unit_rows,
)

BATCH_TEXTS = 64


class EndpointEmbedder:
    """Embeds by a model on a server. Which languages it knows is the user's choice of model."""

    def __init__(self, model: str, client: openai.AsyncOpenAI) -> None:
        """`client` has the endpoint's address, key, timeout and retries."""
        self.name = f"{client.base_url}#{model}"
        self._model = model
        self._client = client

    def knows(self, text: str) -> bool:
        return bool(text)

    async def embed_passages(self, texts: Sequence[str], embedded: EmbeddedSoFar) -> Vectors:
        rows: list[list[float]] = []
        for first in range(0, len(texts), BATCH_TEXTS):
            rows += await self._embed(list(texts[first : first + BATCH_TEXTS]))
            embedded(len(rows))
        return unit_rows(np.array(rows, np.float32))

    async def embed_query(self, text: str) -> Vectors:
        vector: Vectors = unit_rows(np.array(await self._embed([text]), np.float32))[0]
        return vector

    async def _embed(self, texts: list[str]) -> list[list[float]]:
        try:
            # An empty text is refused by most servers.
            answer = await self._client.embeddings.create(
                model=self._model,
                input=[text or " " for text in texts],
                encoding_format="float",
            )
        except openai.APIStatusError as error:
            raise EmbeddingError(
                f"The embedding endpoint refused the request with status {error.status_code}."
            ) from None
        except openai.APIError:
            raise EmbeddingError("The embedding endpoint cannot be reached.") from None
        if len(answer.data) != len(texts):
            raise EmbeddingError("The embedding endpoint answered with too few vectors.")
        return [row.embedding for row in sorted(answer.data, key=lambda row: row.index)]
