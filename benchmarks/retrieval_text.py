"""Text whose words are as common and as rare as in real text, for measuring speed."""

import numpy as np
from numpy.typing import NDArray

VOCABULARY = 50_000
ZIPF_EXPONENT = 1.07


class ZipfText:
    """The same seed gives the same text."""

    def __init__(self, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        weights = 1 / np.arange(1, VOCABULARY + 1) ** ZIPF_EXPONENT
        self._shares = np.cumsum(weights / weights.sum())
        self._words = np.array([_word(rank) for rank in range(VOCABULARY)])

    def text(self, words: int) -> str:
        places = np.searchsorted(self._shares, self._random.random(words))
        return " ".join(self._words[places])

    def vectors(self, count: int, dimensions: int = 384) -> NDArray[np.float32]:
        """Unit vectors in groups, as texts on the same matters lie."""
        centers = self._random.normal(size=(200, dimensions))
        rows = centers[self._random.integers(0, 200, count)]
        rows = rows + self._random.normal(size=(count, dimensions))
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _word(rank: int) -> str:
    syllables = ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti")
    word = ""
    rank += len(syllables)
    while rank:
        rank, place = divmod(rank, len(syllables))
        word += syllables[place]
    return word
