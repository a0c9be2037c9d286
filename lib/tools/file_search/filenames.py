"""Tells which files a query names: "the FY2018 figures of American Express" names
AMERICANEXPRESS_2018_10K.pdf more than a report of another year or company."""

import math
import re
from collections import Counter
from collections.abc import Collection
from functools import lru_cache
from itertools import pairwise
from pathlib import PurePath

from lib.tools.file_search.index.words import prepared

_PARTS = re.compile(r"\d+|[^\W\d_]+")
_INSIDE_CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NAMES_KEPT = 10_000


def named_shares(query: str, filenames: Collection[str]) -> dict[str, float]:
    """How much of each name the query says, 0 to 1.

    A word counts the more the fewer of the names have it; one that all of them have counts nothing.
    """
    words = _words(query)
    # Names are often written without the spaces that a query has.
    said = {*words, *(one + other for one, other in pairwise(words))}
    names = {name: _words_of_name(name) for name in filenames}
    names_with = Counter(word for words_of_name in names.values() for word in words_of_name)
    worth = {word: math.log(len(names) / count) for word, count in names_with.items()}
    return {name: _share(words_of_name, said, worth) for name, words_of_name in names.items()}


@lru_cache(_NAMES_KEPT)
def _words_of_name(filename: str) -> frozenset[str]:
    return frozenset(_words(PurePath(filename).stem))


def _share(name: frozenset[str], said: set[str], worth: dict[str, float]) -> float:
    if not (found := name & said):
        return 0.0
    whole = math.fsum(worth[word] for word in name)
    return math.fsum(worth[word] for word in found) / whole if whole else 0.0


def _words(text: str) -> list[str]:
    """Words in order, letters apart from digits: FY2018 is `fy` and `2018`."""
    spaced = prepared(_INSIDE_CAMEL_CASE.sub(" ", text), None)
    return [word.lower() for word in _PARTS.findall(spaced)]
