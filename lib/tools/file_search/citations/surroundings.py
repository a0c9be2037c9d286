"""A quote with what stands around it in its file."""

from dataclasses import dataclass

from lib.tools.file_search.citations.quote_places import place_of

SHOWN_CHARACTERS = 700
"""On either side of the quote."""
# A stretch that begins at the end of a line or a word, looked for this far, reads better.
LOOKED_FOR_AN_EDGE = 80


@dataclass(frozen=True)
class Surroundings:
    """A stretch of a text in three parts, one behind the other. The edges are those of the text."""

    before: str
    quote: str
    after: str
    is_whole_quote: bool
    begins_at_edge: bool
    ends_at_edge: bool


def surroundings_of(quote: str, text: str) -> Surroundings | None:
    """What stands around the quote, as the text has it; None when it does not stand there."""
    place = place_of(quote, text)
    if place is None:
        return None
    start = _beginning(text, max(place.start - SHOWN_CHARACTERS, 0), place.start)
    end = _ending(text, place.end, min(place.end + SHOWN_CHARACTERS, len(text)))
    return Surroundings(
        before=text[start : place.start],
        quote=text[place.start : place.end],
        after=text[place.end : end],
        is_whole_quote=place.is_whole,
        begins_at_edge=start == 0,
        ends_at_edge=end == len(text),
    )


def _beginning(text: str, start: int, quote: int) -> int:
    if start == 0:
        return 0
    for edge in ("\n", " "):
        found = text.find(edge, start, min(start + LOOKED_FOR_AN_EDGE, quote))
        if found >= 0:
            return found + 1
    return start


def _ending(text: str, quote: int, end: int) -> int:
    if end == len(text):
        return end
    for edge in ("\n", " "):
        found = text.rfind(edge, max(end - LOOKED_FOR_AN_EDGE, quote), end)
        if found >= 0:
            return found
    return end
