"""The text of search results as the model is given it, each under its marker."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lib.tools.file_search.chunking import Chunk, count_tokens, tokenize
from lib.tools.file_search.search import SearchResult

INSTRUCTION = (
    "Search results follow, each under its marker. After every statement taken from a result, "
    "repeat that result's marker exactly."
)
NOTHING_FOUND = "The search found nothing in the files."
LONGEST_NAME = 80
# A result cut shorter than this tells the model nothing.
FEWEST_TOKENS = 50
_NOT_IN_NAMES = re.compile(r"[【】†\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class Source:
    """A result the model has seen: number `number` of search `call` of the run, both from 0."""

    call: int
    number: int
    result: SearchResult

    @property
    def marker(self) -> str:
        name = _NOT_IN_NAMES.sub(" ", self.result.file.filename)[:LONGEST_NAME].strip()
        return f"【{self.call}:{self.number}†{name or 'source'}】"


@dataclass(frozen=True)
class ContextText:
    """What the model is given, and the sources that stand in it."""

    text: str
    sources: list[Source]


def context_text(results: Sequence[SearchResult], call: int, budget_tokens: int) -> ContextText:
    """As many of the results, best first, as fit into `budget_tokens`; the last may be cut."""
    if not results:
        return ContextText(NOTHING_FOUND, [])
    parts, sources = [INSTRUCTION], list[Source]()
    left = budget_tokens - count_tokens(INSTRUCTION)
    for number, result in enumerate(results):
        source = Source(call, number, result)
        part = _fitted(source, left)
        if part is None:
            break
        parts.append(part)
        sources.append(source)
        left -= count_tokens(part) + 1
    return ContextText("\n\n".join(parts), sources)


def _fitted(source: Source, left: int) -> str | None:
    heading = f"{source.marker}{_page_note(source.result.chunk)}\n"
    room = left - count_tokens(heading) - 1
    # A document that holds marker-like text must not be able to forge a citation.
    text = source.result.chunk.text.replace("【", "[").replace("】", "]")
    grid = tokenize(text)
    if grid.tokens <= room:
        return heading + text
    if room < FEWEST_TOKENS:
        return None
    start, end = grid.cut(0, room)
    return heading + text[start:end]


def _page_note(chunk: Chunk) -> str:
    if chunk.first_page is None:
        return ""
    if chunk.first_page == chunk.last_page:
        return f" page {chunk.first_page}"
    return f" pages {chunk.first_page} to {chunk.last_page}"
