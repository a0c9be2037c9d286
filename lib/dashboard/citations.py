"""Citations of an answer: markers become numbers, and each number leads to its source."""

import re
from dataclasses import dataclass, field

from openai.types.beta.threads import FileCitationAnnotation, Message

from lib.dashboard.message_markdown import to_markdown

MARKER = re.compile(r"【\d{1,4}:\d{1,4}†[^【】\n]*】")
# Characters that no text holds stand in for a number until the Markdown is made.
_OPEN, _CLOSE = "\ue000", "\ue001"
_PLACE = re.compile(f"{_OPEN}(\\d+){_CLOSE}")


@dataclass
class Passage:
    """A quote, word for word as it stands in the file. `page` is None for formats without pages."""

    quote: str
    page: int | None


@dataclass
class CitedPage:
    """What an answer quotes from one page; `page` is None for formats without pages."""

    page: int | None
    quotes: list[str]


@dataclass
class CitedSource:
    """What one number of an answer refers to."""

    number: int
    file_id: str
    filename: str
    passages: list[Passage] = field(default_factory=list)

    @property
    def pages(self) -> list[CitedPage]:
        """The quotes by page, in the order in which the answer leans on them."""
        pages: dict[int | None, CitedPage] = {}
        for passage in self.passages:
            page = pages.setdefault(passage.page, CitedPage(passage.page, []))
            page.quotes.append(passage.quote)
        return list(pages.values())


def markdown_with_numbers(text: str) -> str:
    """The answer in Markdown, each marker a small numbered badge."""
    numbers = _numbers(text)
    marked = MARKER.sub(lambda found: f"{_OPEN}{numbers[found.group()]}{_CLOSE}", text)
    return _PLACE.sub(r" :blue-badge[\1]", to_markdown(marked))


def without_markers(text: str) -> str:
    """The answer as one reads it aloud."""
    return MARKER.sub("", text)


def cited_sources(message: Message) -> list[CitedSource]:
    """The sources in the order of their numbers."""
    parts = [part.text for part in message.content if part.type == "text"]
    numbers = _numbers("\n\n".join(part.value for part in parts))
    sources: dict[str, CitedSource] = {}
    for part in parts:
        for item in part.annotations:
            if isinstance(item, FileCitationAnnotation) and item.text in numbers:
                _add(sources, numbers[item.text], item)
    return sorted(sources.values(), key=lambda source: source.number)


def _add(sources: dict[str, CitedSource], number: int, item: FileCitationAnnotation) -> None:
    extra = item.file_citation.model_extra or {}
    source = sources.setdefault(
        item.text,
        CitedSource(number, item.file_citation.file_id, str(extra.get("filename") or "The file")),
    )
    passage = Passage(str(extra.get("quote") or ""), extra.get("page"))
    if passage.quote and passage not in source.passages:
        source.passages.append(passage)


def _numbers(text: str) -> dict[str, int]:
    """A number for each different marker, in the order in which they appear."""
    different = dict.fromkeys(found.group() for found in MARKER.finditer(text))
    return {marker: number for number, marker in enumerate(different, start=1)}
