"""Web pages: what a reader sees, without scripts, styles and pictures."""

from pathlib import Path

from lib.tools.file_search.parsing import office
from lib.tools.file_search.parsing.document import Page, clean


def parse(path: Path, extension: str) -> list[Page]:  # noqa: ARG001
    return [Page(clean(office.extract(path, "text/html").content))]
