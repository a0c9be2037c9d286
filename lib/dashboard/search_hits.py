"""Search results as a reader sees them: the best lines, with the words that were looked for."""

import re

from openai.types import VectorStoreSearchResponse

from lib.dashboard.citations import CitedPage
from lib.dashboard.labels import plain

SHOWN_CHARACTERS = 500
CUT_BEFORE, CUT_BEHIND = "… ", " …"
_WORD = re.compile(r"\w+")
# Endings differ: who looks for "sleeping" should see "sleeps" too.
_LONG_WORD = 7
_ENDING = 3
_TELLING = 4
"""Letters from which on a word tells something; shorter ones count where there are no others."""


def highlighted(text: str, query: str) -> str:
    """The text in Markdown, shown as it is, with the query's words marked."""
    words = _words_of(query)
    if not words:
        return _lines(text)
    found = re.compile("|".join(rf"\b{re.escape(word)}\w*" for word in words), re.IGNORECASE)
    parts, end = [], 0
    for hit in found.finditer(text):
        parts += [_lines(text[end : hit.start()]), f":orange-background[{plain(hit.group())}]"]
        end = hit.end()
    return "".join([*parts, _lines(text[end:])])


def excerpt(text: str, query: str) -> str:
    """The stretch of the text in which most of the query's words stand."""
    if len(text) <= SHOWN_CHARACTERS:
        return text
    words = _words_of(query)
    starts = range(0, len(text) - SHOWN_CHARACTERS // 2, SHOWN_CHARACTERS // 4)
    lowered = text.lower()
    hits = {start: _hits(lowered[start : start + SHOWN_CHARACTERS], words) for start in starts}
    fitting = [start for start in starts if hits[start] == max(hits.values())]
    # Of neighbours that hold the same words, the middle one shows what stands around them.
    best = fitting[len(fitting) // 2]
    # Begin and end between words.
    start = text.find(" ", best) + 1 if best else 0
    end = text.rfind(" ", start, best + SHOWN_CHARACTERS)
    shown = text[start : end if end > start else best + SHOWN_CHARACTERS]
    is_cut = start + len(shown) < len(text)
    return f"{CUT_BEFORE if start else ''}{shown}{CUT_BEHIND if is_cut else ''}"


def page_of(hit: VectorStoreSearchResponse, shown: str) -> CitedPage | None:
    """The page on which most of an excerpt stands; None for formats without pages."""
    text = "\n".join(part.text for part in hit.content)
    quote = shown.removeprefix(CUT_BEFORE).removesuffix(CUT_BEHIND)
    middle = max(text.find(quote), 0) + len(quote) // 2
    starts = (hit.model_extra or {}).get("page_starts") or []
    before = [start["page"] for start in starts if start["offset"] <= middle]
    return CitedPage(before[-1], [quote]) if before else None


def why_it_ranks(hit: VectorStoreSearchResponse) -> str:
    """`score 0.93 · page 4 · 1st by keywords · 3rd by meaning`."""
    extra = hit.model_extra or {}
    parts = [f"score {hit.score:.2f}"]
    if extra.get("first_page") is not None:
        first, last = extra["first_page"], extra["last_page"]
        parts.append(f"page {first}" if first == last else f"pages {first}–{last}")
    for name, words in (("keyword_rank", "by keywords"), ("meaning_rank", "by meaning")):
        if extra.get(name) is not None:
            parts.append(f"no. {extra[name]} {words}")
    return " · ".join(parts)


def _words_of(query: str) -> list[str]:
    words = _WORD.findall(query.lower())
    telling = [word for word in words if len(word) >= _TELLING] or words
    return sorted({_stem(word) for word in telling}, key=len, reverse=True)


def _stem(word: str) -> str:
    return word[:-_ENDING] if len(word) >= _LONG_WORD else word.removesuffix("s")


def _hits(text: str, words: list[str]) -> int:
    return sum(word in text for word in words)


def _lines(text: str) -> str:
    return plain(text).replace("\n", "  \n")
