"""What can be shown of a file in the page, decided by its name and checked against its content.

Files come from strangers and from code that a model wrote. Nothing of them runs in the browser:
pages, drawings and scripts are shown as the text that they are.
"""

import io
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import pandas as pd
from PIL import Image

Kind = Literal["image", "table", "pdf", "text"]

IMAGE_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".gif": "GIF", ".webp": "WEBP"}
SEPARATORS = {".csv": ",", ".tsv": "\t"}
BYTES_READ: dict[Kind, int] = {
    "image": 10_000_000,
    "table": 300_000,
    "pdf": 20_000_000,
    "text": 50_000,
}
"""How much of a file of each kind is fetched; images and PDF files must be whole."""
ROWS_SHOWN = 200
COLUMNS_SHOWN = 50
MOST_PIXELS = 20_000_000


class PreviewError(Exception):
    """The content is not what the name says, or too much. The text is a sentence."""


@dataclass(frozen=True)
class Table:
    rows: pd.DataFrame
    is_whole: bool


def kind_of(name: str) -> Kind:
    """How a file of this name is shown; text until its content says otherwise."""
    suffix = PurePosixPath(name.lower()).suffix
    if suffix in IMAGE_FORMATS:
        return "image"
    if suffix in SEPARATORS:
        return "table"
    return "pdf" if suffix == ".pdf" else "text"


def is_image(name: str) -> bool:
    return kind_of(name) == "image"


def checked_image(content: bytes) -> bytes:
    """The image as it came. Raises PreviewError for other formats and for sizes that hurt."""
    try:
        with Image.open(io.BytesIO(content), formats=list(set(IMAGE_FORMATS.values()))) as image:
            width, height = image.size
    except Exception:
        raise PreviewError("This is no image that can be shown here.") from None
    if width * height > MOST_PIXELS:
        raise PreviewError(f"The image has {width:,} × {height:,} pixels: too many to show here.")
    return content


def table_of(name: str, content: bytes, is_cut: bool) -> Table:
    """The first rows of a CSV or TSV file. Raises PreviewError."""
    text = content.decode("utf-8-sig", errors="replace")
    if is_cut:
        text = text.rpartition("\n")[0]
    try:
        rows = pd.read_csv(
            io.StringIO(text),
            sep=SEPARATORS[PurePosixPath(name.lower()).suffix],
            nrows=ROWS_SHOWN + 1,
            dtype=str,
            keep_default_na=False,
            index_col=False,
        )
    except (ValueError, pd.errors.ParserError):
        raise PreviewError("This is no table that can be read.") from None
    fits = len(rows) <= ROWS_SHOWN and rows.shape[1] <= COLUMNS_SHOWN
    return Table(rows.iloc[:ROWS_SHOWN, :COLUMNS_SHOWN], fits and not is_cut)


def text_of(content: bytes) -> str:
    """The content as text. Raises PreviewError when it is none."""
    if b"\0" in content:
        raise PreviewError("There is no preview for this kind of file.")
    # The last character may have been cut in the middle.
    text = content.decode("utf-8", errors="replace").rstrip("�")
    strange = sum(1 for char in text if not char.isprintable() and char not in "\r\n\t")
    if strange + text.count("�") > len(text) / 20:
        raise PreviewError("There is no preview for this kind of file.")
    return text


def checked_pdf(content: bytes) -> bytes:
    """Raises PreviewError for what is no PDF file."""
    if not content.startswith(b"%PDF-"):
        raise PreviewError("This is no PDF file.")
    return content
