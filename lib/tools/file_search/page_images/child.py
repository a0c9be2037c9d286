"""The process that draws one page: `python -m lib.tools.file_search.page_images.child PATH PAGE`.

It reads the quotes, a JSON list of strings, from its standard input, and writes one line of JSON
to its standard output: how much is marked, with the PNG file behind it; or `failure`.
"""

import json
import os
import sys
from pathlib import Path

from lib.tools.file_search.child_limits import limit_resources, silenced_output
from lib.tools.file_search.page_images.page_image import PageFailure, PageFailureCode, PageImage
from lib.tools.file_search.parsing.document import ParseFailure

CPU_SECONDS = 15
TOO_MUCH_MEMORY = "The page needs far more memory than a page should."


def main(path: Path, number: int, quotes: list[str]) -> None:
    answer = silenced_output()
    limit_resources(CPU_SECONDS)
    with os.fdopen(answer, "wb") as out:
        for part in _outcome(path, number, quotes):
            out.write(part)


def _outcome(path: Path, number: int, quotes: list[str]) -> tuple[bytes, ...]:
    try:
        image = _draw(path, number, quotes)
    except PageFailure as failure:
        return (_failed(failure.code, failure.reason),)
    except ParseFailure as failure:
        return (_failed("page_not_drawable", failure.reason),)
    except MemoryError:
        return (_failed("page_not_drawable", TOO_MUCH_MEMORY),)
    return json.dumps({"marked": image.marked}).encode(), b"\n", image.png


def _draw(path: Path, number: int, quotes: list[str]) -> PageImage:
    from lib.tools.file_search.page_images.drawing import draw_page

    return draw_page(path, number, quotes)


def _failed(code: PageFailureCode, reason: str) -> bytes:
    return json.dumps({"failure": [code, reason]}).encode() + b"\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), json.load(sys.stdin))
