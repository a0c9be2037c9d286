"""What the process that parses one file does.

It limits its own memory and CPU before any parser is loaded, and writes one JSON object to its
standard output: the fields of a `ChildAnswer`.
"""

import importlib
import json
import os
from pathlib import Path
from typing import NoReturn

from lib.tools.file_search.child_limits import limit_resources, silenced_output
from lib.tools.file_search.parsing.document import ChildAnswer, Page, ParseFailure
from lib.tools.file_search.parsing.formats import FAMILIES, check_signature

CPU_SECONDS = 120
HEAD_BYTES = 1024
TOO_MUCH_MEMORY = "The file needs far more memory than a document should."


def answer_and_exit(path: Path, extension: str) -> NoReturn:
    answer = silenced_output()
    limit_resources(CPU_SECONDS)
    with os.fdopen(answer, "w", encoding="utf-8") as out:
        json.dump(_outcome(path, extension)._asdict(), out)
    # Extractors leave threads behind that would keep a finished process alive.
    os._exit(0)


def _outcome(path: Path, extension: str) -> ChildAnswer:
    try:
        pages = _pages(path, extension)
    except ParseFailure as failure:
        return ChildAnswer(failure=(failure.code, failure.reason))
    except MemoryError:
        return ChildAnswer(failure=("invalid_file", TOO_MUCH_MEMORY))
    return ChildAnswer(pages=[(page.text, page.number) for page in pages])


def _pages(path: Path, extension: str) -> list[Page]:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise ParseFailure("invalid_file", "The file is empty.")
    check_signature(head, extension)
    family = importlib.import_module(f"lib.tools.file_search.parsing.{FAMILIES[extension]}")
    pages: list[Page] = family.parse(path, extension)
    if not any(page.text for page in pages):
        raise ParseFailure("invalid_file", "The file has no text in it.")
    return pages
