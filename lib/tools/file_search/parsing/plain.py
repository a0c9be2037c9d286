"""Text, Markdown and code: indexed as they are."""

import codecs
from pathlib import Path

from lib.tools.file_search.parsing.document import Page, ParseFailure, clean

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Enough to tell an encoding; guessing over more takes seconds and changes nothing.
GUESSED_BYTES = 100_000


def parse(path: Path, extension: str) -> list[Page]:  # noqa: ARG001
    return [Page(clean(read_text(path)))]


def read_text(path: Path) -> str:
    """The file's text. Raises ParseFailure when its bytes are no text."""
    raw = path.read_bytes()
    try:
        return raw.decode("utf-16" if raw.startswith(UTF16_MARKS) else "utf-8-sig")
    except UnicodeDecodeError:
        return _guessed(raw)


def _guessed(raw: bytes) -> str:
    # Loading the detector takes longer than reading a whole UTF-8 file.
    import charset_normalizer

    head = raw[:GUESSED_BYTES]
    guess = None if b"\x00" in head else charset_normalizer.from_bytes(head).best()
    if guess is None:
        raise ParseFailure(
            "invalid_file", "The file is not text: save it as UTF-8 text and upload it again."
        )
    return raw.decode(guess.encoding, "replace")
