"""Turns the markers in a model's answer into citations while the answer streams."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from lib.tools.file_search.citations.context import Source
from lib.tools.file_search.citations.quotes import (
    Quote,
    best_quote,
    last_statement,
    split_sentences,
    statements,
)

# Small models copy markers with spaces, with plain brackets or without the name.
_MARKER = re.compile(r"【([^【】\n]{0,300})】|\[(\d{1,4}:\d{1,4}†[^\[\]【】\n]{0,300})\]")
_UNFINISHED = re.compile(
    r"【[^【】\n]{0,300}\Z|\[(?:\d{1,4}(?::(?:\d{1,4}(?:†[^\[\]【】\n]{0,300})?)?)?)?\Z"
)
_REFERENCE = re.compile(r"\s*(\d{1,4})\s*[:：]\s*(\d{1,4})\s*(?:†.*)?")
# The head of a marker that was broken off: at the end of an answer, or with other text behind it.
_CUT_HEAD = re.compile(
    r"【(?:\s*\d{1,4}\s*(?:[:：]\s*\d{0,4}\s*)?)?\Z|【[^【】\n]*†|\[\d{1,4}:\d{1,4}†"
)
_BROKEN_HEAD = re.compile(
    r"【[^【】\n†]{0,20}†|\[\d{1,4}:\d{1,4}†|【(?:\s*\d{1,4}\s*[:：]\s*\d{0,4})?"
)

# Without a marker a result is cited when a quote from it holds most of a sentence of the answer.
FIT_TO_CITE = 0.5
MOST_ADDED = 3


@dataclass(frozen=True)
class FileCitation:
    """The data of a `file_citation` annotation. The indices count characters of the answer as it
    is shown, and `text` is the marker that stands there. `quote` stands word for word in the
    file; `page` is the page it begins on, None where the format has no pages."""

    text: str
    start_index: int
    end_index: int
    file_id: str
    filename: str
    quote: str
    page: int | None


@dataclass(frozen=True)
class Cited:
    """Text to show next, and the citations that stand in it."""

    text: str = ""
    citations: list[FileCitation] = field(default_factory=list)


class CitationFilter:
    """Fed an answer piece by piece, gives it back with sound markers only.

    Text is held back only while it may become a marker. Markers that refer to nothing, and
    markers broken off, are removed.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = {(source.call, source.number): source for source in sources}
        self._shown = ""
        self._held = ""
        self._has_cited = False

    def add_sources(self, sources: Sequence[Source]) -> None:
        """Results of a further search in the same answer."""
        self._sources |= {(source.call, source.number): source for source in sources}

    def feed(self, delta: str) -> Cited:
        """What of the answer so far can be shown."""
        self._held += delta
        unfinished = _UNFINISHED.search(self._held)
        ready = self._held[: unfinished.start()] if unfinished else self._held
        self._held = self._held[len(ready) :]
        return self._show(ready)

    def finish(self, cite_by_overlap: bool = True) -> Cited:
        """The rest. An answer without a citation is given those of the results that it leans on,
        unless `cite_by_overlap` is False."""
        rest = "" if _CUT_HEAD.match(self._held) else self._held
        self._held = ""
        shown = self._show(rest)
        if self._has_cited or not cite_by_overlap:
            return shown
        added = [self._cite(source, quote) for source, quote in self._leaned_on()]
        return Cited(shown.text + "".join(each.text for each in added), shown.citations + added)

    def _show(self, text: str) -> Cited:
        start = len(self._shown)
        citations: list[FileCitation] = []
        position = 0
        for marker in _MARKER.finditer(text):
            self._shown += _BROKEN_HEAD.sub("", text[position : marker.start()])
            position = marker.end()
            inside = marker.group(1) or marker.group(2) or ""
            if source := self._referred(inside):
                citations.append(self._cite(source, self._quote(source)))
            elif "†" not in inside:
                # Such brackets are ordinary punctuation in Chinese and Japanese.
                self._shown += marker.group()
        self._shown += _BROKEN_HEAD.sub("", text[position:])
        return Cited(self._shown[start:], citations)

    def _referred(self, inside: str) -> Source | None:
        reference = _REFERENCE.fullmatch(inside)
        if reference is None:
            return None
        return self._sources.get((int(reference.group(1)), int(reference.group(2))))

    def _quote(self, source: Source) -> Quote:
        text = source.result.chunk.text
        plain = _MARKER.sub("", self._shown)
        found = best_quote(last_statement(plain), text) or best_quote(plain, text)
        return found or Quote(*split_sentences(text)[0], fit=0.0)

    def _cite(self, source: Source, quote: Quote) -> FileCitation:
        start = len(self._shown)
        self._shown += source.marker
        self._has_cited = True
        return FileCitation(
            text=source.marker,
            start_index=start,
            end_index=len(self._shown),
            file_id=source.result.file.key.file_id,
            filename=source.result.file.filename,
            quote=source.result.chunk.text[quote.start : quote.end],
            page=source.result.chunk.page_at(quote.start),
        )

    def _leaned_on(self) -> list[tuple[Source, Quote]]:
        said = statements(self._shown)
        quotes = [
            (source, best_quote(statement, source.result.chunk.text))
            for source in self._sources.values()
            for statement in said
        ]
        fitting = [
            (source, quote) for source, quote in quotes if quote and quote.fit >= FIT_TO_CITE
        ]
        best = sorted(fitting, key=lambda pair: -pair[1].fit)
        first_of_each = {source.marker: (source, quote) for source, quote in reversed(best)}
        return sorted(first_of_each.values(), key=lambda pair: -pair[1].fit)[:MOST_ADDED]
