"""What every embedder does."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float16]
EmbeddedSoFar = Callable[[int], None]


class EmbeddingError(Exception):
    """The embedder could not do its work. The text is a sentence without any secret."""


class Embedder(Protocol):
    """Turns texts into unit vectors that lie close together when the texts mean the same.

    `name` identifies vectors in the index: those of differently named embedders never mix.
    """

    @property
    def name(self) -> str: ...

    def knows(self, text: str) -> bool:
        """Whether the embedder was trained on the text's language. A weak guess is worse than
        none: where this is False, ranking is by keywords alone."""
        ...

    async def embed_passages(self, texts: Sequence[str], embedded: EmbeddedSoFar) -> Vectors:
        """One row for each text; `embedded` is told how many are done. Raises EmbeddingError."""
        ...

    async def embed_query(self, text: str) -> Vectors:
        """One vector. Raises EmbeddingError."""
        ...


def unit_rows(rows: NDArray[np.float32]) -> Vectors:
    """The rows scaled to length 1, in the half precision that the index keeps."""
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return np.asarray(rows / lengths, np.float16)
