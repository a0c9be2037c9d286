"""JSON: laid out over lines, so that a chunk shows readable parts of it."""

import json
from pathlib import Path

from lib.tools.file_search.parsing import plain
from lib.tools.file_search.parsing.document import Page, clean


def parse(path: Path, extension: str) -> list[Page]:  # noqa: ARG001
    return [Page(clean(_laid_out(plain.read_text(path))))]


def _laid_out(text: str) -> str:
    # JSON lines, comments and cut files are no JSON, and still text worth finding.
    try:
        return json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
