"""An embedder for tests: like a real one it puts texts with common words close together."""

import hashlib
from collections.abc import Sequence

import numpy as np

from lib.tools.file_search.embedding.embedder import (
    EmbeddedSoFar,
    EmbeddingError,
    Vectors,
    unit_rows,
)
from lib.tools.file_search.index.words import query_words

DIMENSIONS = 384


class WordEmbedder:
    """Each word is a direction; `same` words share one, as words of like meaning do."""

    def __init__(self, name: str = "words", same: dict[str, str] | None = None) -> None:
        self.name = name
        self.fails = False
        self.embedded_texts = 0
        self._same = same or {}

    def knows(self, text: str) -> bool:
        return text.isascii()

    async def embed_passages(self, texts: Sequence[str], embedded: EmbeddedSoFar) -> Vectors:
        if self.fails:
            raise EmbeddingError("The embedding endpoint cannot be reached.")
        self.embedded_texts += len(texts)
        embedded(len(texts))
        return self._embed(texts)

    async def embed_query(self, text: str) -> Vectors:
        if self.fails:
            raise EmbeddingError("The embedding endpoint cannot be reached.")
        vector: Vectors = self._embed([text])[0]
        return vector

    def _embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), DIMENSIONS), np.float32)
        for row, text in enumerate(texts):
            for word in query_words(text):
                digest = hashlib.sha256(self._same.get(word, word).encode()).digest()
                rows[row, int.from_bytes(digest[:4], "big") % DIMENSIONS] += 1
        return unit_rows(rows)
