"""Finds the sentence of a source that a statement leans on."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from lib.tools.file_search.index.words import query_words

LONGEST_QUOTE = 400
SHORTEST_WORD = 3
FEWEST_WORDS = 4
_SOURCES_KEPT = 64
# What each further sentence must hold of the statement to join the quote.
SHARE_TO_ADD = 0.1
# Sentence ends, blank lines, and line ends that do not run on in lower case, as prose in a PDF
# does.
_BREAK = re.compile(r"(?<=[.!?])[\"'»”)\]]*\s+|(?<=[。！？।])|\s*\n\s*\n\s*|\s*\n\s*(?=[^a-z\s])")


class Quote(NamedTuple):
    """Characters of a source's text, the second exclusive, and how well they fit: the share of
    the statement's words, weighted by rarity, that stand in them."""

    start: int
    end: int
    fit: float


def best_quote(statement: str, source: str) -> Quote | None:
    """The sentence of the source that shares most with the statement; None when none shares.

    Several that follow each other where each adds something: a title and its authors, or the
    cells of a table's row, stand in lines of their own.
    """
    wanted = _weighty_words(statement)
    sentences, words_of_sentences = _read(source)
    words = [each & wanted for each in words_of_sentences]
    weights = _rarity(words)
    total = sum(weights.get(word, math.log(2 + len(sentences))) for word in wanted)
    best, best_worth = None, 0.0
    for first, last in _stretches(sentences):
        shared = set[str]().union(*words[first : last + 1])
        fit = sum(weights[word] for word in shared) / total if shared else 0.0
        worth = fit - (last - first) * SHARE_TO_ADD
        if worth > best_worth:
            best, best_worth = Quote(sentences[first][0], sentences[last][1], fit), worth
    return best


@lru_cache(_SOURCES_KEPT)
def _read(source: str) -> tuple[list[tuple[int, int]], list[set[str]]]:
    """The sentences and the weighty words of each: every statement of an answer asks for them."""
    sentences = split_sentences(source)
    return sentences, [_weighty_words(source[start:end]) for start, end in sentences]


def statements(text: str) -> list[str]:
    """The sentences of an answer that say enough to tell where they come from."""
    spans = split_sentences(text)
    said = [text[start:end] for start, end in spans]
    return [each for each in said if len(_weighty_words(each)) >= FEWEST_WORDS]


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Where each sentence begins and, exclusive, ends; none longer than `LONGEST_QUOTE`."""
    bounds = [0, *(match.end() for match in _BREAK.finditer(text)), len(text)]
    spans = [
        _trimmed(text, *span)
        for first, last in pairwise(bounds)
        for span in _pieces(text, first, last)
    ]
    return [(start, end) for start, end in spans if end > start]


def last_statement(text: str) -> str:
    """The last sentence of an answer: what a marker right behind it refers to."""
    sentences = split_sentences(text[-2 * LONGEST_QUOTE :])
    tail = text[-2 * LONGEST_QUOTE :]
    for start, end in reversed(sentences):
        if _weighty_words(tail[start:end]):
            return tail[start:end]
    return tail


def _stretches(sentences: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """First and last of sentences that follow each other and make no more than a long quote."""
    for first in range(len(sentences)):
        for last in range(first, len(sentences)):
            if last > first and sentences[last][1] - sentences[first][0] > LONGEST_QUOTE:
                break
            yield first, last


def _pieces(text: str, first: int, last: int) -> list[tuple[int, int]]:
    pieces = []
    while last - first > LONGEST_QUOTE:
        space = text.rfind(" ", first + 1, first + LONGEST_QUOTE)
        cut = space if space > first else first + LONGEST_QUOTE
        pieces.append((first, cut))
        first = cut
    return [*pieces, (first, last)]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())


def _weighty_words(text: str) -> set[str]:
    """Words that tell something: numbers, pairs of an unspaced script, and words not short."""
    return {
        word
        for word in query_words(text)
        if len(word) >= SHORTEST_WORD or not word.isascii() or any(map(str.isdigit, word))
    }


def _rarity(words: Sequence[set[str]]) -> dict[str, float]:
    counts = Counter(word for each in words for word in each)
    return {word: math.log(1 + len(words) / count) for word, count in counts.items()}
