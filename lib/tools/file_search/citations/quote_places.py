"""Finds a quote in the text it comes from, though spaces, hyphens and line ends may differ."""

import unicodedata
from typing import NamedTuple

# Shorter pieces of a quote stand in many a place that has nothing to do with it.
SHORTEST_PART = 12
# Comparing letter by letter takes a second for a million.
MOST_CHARACTERS = 500_000


class QuotePlace(NamedTuple):
    """Characters of a text, the second exclusive, and whether the whole quote stands there."""

    start: int
    end: int
    is_whole: bool


def place_of(quote: str, text: str) -> QuotePlace | None:
    """Where the quote, or else its longest part, stands first; None when no such part does."""
    exact = text.find(quote) if quote.strip() else -1
    if exact >= 0:
        return QuotePlace(exact, exact + len(quote), True)
    wanted, _ = _letters(quote)
    known, places = _letters(text[:MOST_CHARACTERS])
    start, end = _longest_part(wanted, known)
    is_whole = end - start == len(wanted)
    if start == end or (not is_whole and end - start < SHORTEST_PART):
        return None
    found = known.index(wanted[start:end])
    return QuotePlace(places[found], places[found + end - start - 1] + 1, is_whole)


def _letters(text: str) -> tuple[str, list[int]]:
    """The text's letters and digits alone, alike however they are written, and where each stood."""
    letters: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        for letter in unicodedata.normalize("NFKD", char).casefold():
            if letter.isalnum():
                letters.append(letter)
                places.append(place)
    return "".join(letters), places


def _longest_part(wanted: str, known: str) -> tuple[int, int]:
    """The longest stretch of `wanted` that stands in `known`."""
    start = best_start = best_end = 0
    for end in range(1, len(wanted) + 1):
        while wanted[start:end] not in known:
            start += 1
        if end - start > best_end - best_start:
            best_start, best_end = start, end
    return best_start, best_end
