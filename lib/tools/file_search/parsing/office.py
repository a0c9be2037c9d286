"""Word, PowerPoint and Excel files; HTML uses the same extractor."""

import asyncio
from pathlib import Path

import xberg

from lib.tools.file_search.parsing.document import Page, ParseFailure, clean
from lib.tools.file_search.parsing.formats import OFFICE

# The extractor's own limit refuses ordinary workbooks; memory and time are limited anyway.
MOST_CELLS = 5_000_000


def parse(path: Path, extension: str) -> list[Page]:
    found = extract(path, OFFICE[extension])
    if extension == ".pptx":
        pages = found.pages or []
        return [Page(_joined(page.content, page.speaker_notes), page.page_number) for page in pages]
    return [Page(clean(found.content))]


def extract(path: Path, mime_type: str) -> xberg.ExtractedDocument:
    """What the extractor reads from the file's bytes. It is never given an address to fetch."""
    given = xberg.ExtractInput(
        kind=xberg.ExtractInputKind("bytes"), bytes=path.read_bytes(), mime_type=mime_type
    )
    config = xberg.ExtractionConfig(
        use_cache=False,
        disable_ocr=True,
        output_format="markdown",
        pages=xberg.PageConfig(extract_pages=True),
        security_limits=xberg.SecurityLimits(max_table_cells=MOST_CELLS),
        html_options=xberg.ConversionOptions(skip_images=True),
    )
    try:
        result = asyncio.run(xberg.extract(given, config))
    except (RuntimeError, ValueError, OSError, xberg.XbergError) as error:
        raise ParseFailure("invalid_file", _reason(str(error))) from None
    if result.errors or not result.results:
        raise ParseFailure("invalid_file", "The document is damaged and cannot be opened.")
    return result.results[0]


def _joined(shown: str, notes: str | None) -> str:
    return clean("\n\n".join(filter(None, (shown, notes))))


def _reason(error: str) -> str:
    lowered = error.lower()
    if "password" in lowered or "encrypt" in lowered:
        return "The document is protected by a password: remove it first."
    if any(word in lowered for word in ("bomb", "ratio", "limit", "too large", "exceed")):
        return "The document unpacks to far more data than a document should hold."
    return "The document is damaged and cannot be opened."
