"""Draws one page of a PDF file. Only the child process may use this: files are hostile."""

import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_raw
from PIL import Image, ImageChops, ImageDraw

from lib.tools.file_search.citations.quote_places import QuotePlace, place_of
from lib.tools.file_search.page_images.page_image import (
    LONGEST_SIDE,
    MOST_PIXELS,
    Marked,
    PageFailure,
    PageImage,
)
from lib.tools.file_search.parsing.pdf import open_document

# Two dots of the image for each point of the page: sharp on dense screens.
SCALE = 2.0
MOST_CHARACTERS = 200_000
MARK = (255, 232, 110)
MARK_LINE = (222, 160, 20)
# Dots around a line of text, so that the mark does not cut into its letters.
MARGIN = 3
# Between two words of a line, in heights of the line.
WIDEST_GAP = 2


class Box(NamedTuple):
    """A part of the image, in dots from its upper left corner."""

    left: int
    top: int
    right: int
    bottom: int


def draw_page(path: Path, number: int, quotes: Sequence[str]) -> PageImage:
    """Raises ParseFailure when the file cannot be opened, and PageFailure."""
    document = open_document(path)
    try:
        # Without this the values of a form's fields are missing.
        document.init_forms()
        if not 1 <= number <= len(document):
            raise PageFailure("no_such_page", _no_such_page(number, len(document)))
        return _drawn(document[number - 1], quotes)
    except pdfium.PdfiumError:
        raise PageFailure("page_not_drawable", "The page is damaged.") from None
    finally:
        document.close()


def _drawn(page: pdfium.PdfPage, quotes: Sequence[str]) -> PageImage:
    bitmap = page.render(scale=_scale(*page.get_size()))
    places = _places(page, quotes)
    boxes = _boxes(page, bitmap, [place for place in places if place])
    image = _highlighted(bitmap.to_pil().convert("RGB"), boxes)
    content = io.BytesIO()
    image.save(content, "PNG")
    return PageImage(content.getvalue(), _marked(places) if boxes else "none")


def _scale(width: float, height: float) -> float:
    """Dots for a point, so that neither the sides nor the whole of the image get too large."""
    sides = LONGEST_SIDE / max(width, height, 1)
    area = math.sqrt(MOST_PIXELS / max(width * height, 1))
    return min(SCALE, sides, area)


def _places(page: pdfium.PdfPage, quotes: Sequence[str]) -> list[QuotePlace | None]:
    if not quotes:
        return []
    textpage = page.get_textpage()
    count = min(textpage.count_chars(), MOST_CHARACTERS)
    # Letter by letter, so that a place in the text is the place that PDFium knows.
    text = "".join(chr(pdfium_raw.FPDFText_GetUnicode(textpage, at)) for at in range(count))
    return [place_of(quote, text) for quote in quotes]


def _boxes(
    page: pdfium.PdfPage, bitmap: pdfium.PdfBitmap, places: Sequence[QuotePlace]
) -> list[Box]:
    """Where the places stand on the image, a box for each line of text."""
    textpage = page.get_textpage()
    on_bitmap = bitmap.get_posconv(page).to_bitmap
    boxes: list[Box] = []
    for place in places:
        for left, bottom, right, top in _pieces(textpage, place):
            box = _box(on_bitmap(left, top), on_bitmap(right, bottom))
            if boxes and _is_one_line(boxes[-1], box):
                box = _around(boxes.pop(), box)
            boxes.append(box)
    return boxes


def _pieces(
    textpage: pdfium.PdfTextPage, place: QuotePlace
) -> Iterator[tuple[float, float, float, float]]:
    """Left, bottom, right and top of each piece of the text; justified lines come in many."""
    count = textpage.count_rects(place.start, place.end - place.start)
    return (textpage.get_rect(index) for index in range(count))


def _box(corner: tuple[int, int], other: tuple[int, int]) -> Box:
    # A turned page turns the corners with it.
    (left, right), (top, bottom) = sorted((corner[0], other[0])), sorted((corner[1], other[1]))
    return Box(left, top, right, bottom)


def _is_one_line(box: Box, following: Box) -> bool:
    height = max(box.bottom - box.top, following.bottom - following.top)
    gap = following.left - box.right
    # A comma's box is as low as the comma: some of the height in common is enough.
    is_level = following.top <= box.bottom and box.top <= following.bottom
    return is_level and -height < gap < WIDEST_GAP * height


def _around(box: Box, other: Box) -> Box:
    return Box(
        min(box.left, other.left),
        min(box.top, other.top),
        max(box.right, other.right),
        max(box.bottom, other.bottom),
    )


def _highlighted(image: Image.Image, boxes: Sequence[Box]) -> Image.Image:
    """As a marker pen does it: dark letters stay dark. The line below shows on dark pages too."""
    pen = Image.new("RGB", image.size, "white")
    drawing = ImageDraw.Draw(pen)
    for left, top, right, bottom in boxes:
        around = (left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN)
        drawing.rectangle(around, fill=MARK)
    marked = ImageChops.multiply(image, pen)
    drawing = ImageDraw.Draw(marked)
    for left, _, right, bottom in boxes:
        below = bottom + MARGIN
        drawing.line((left - MARGIN, below, right + MARGIN, below), fill=MARK_LINE, width=2)
    return marked


def _marked(places: Sequence[QuotePlace | None]) -> Marked:
    return "whole" if all(place and place.is_whole for place in places) else "part"


def _no_such_page(number: int, pages: int) -> str:
    counted = "1 page" if pages == 1 else f"{pages:,} pages"
    return f"There is no page {number}: the file has {counted}."
