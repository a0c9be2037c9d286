"""Pages become images of a bounded size, and no file hurts the app."""

import io
import os
from pathlib import Path

import fpdf
import pytest
from PIL import Image

from lib.tools.file_search.child_process import Bounds
from lib.tools.file_search.page_images import renderer
from lib.tools.file_search.page_images.page_image import (
    LONGEST_SIDE,
    MOST_PIXELS,
    PageFailure,
    PageImage,
)
from lib.tools.file_search.page_images.renderer import PageRenderer
from tests.tools.file_search import documents

FEE = "Boats pay a fee of five crowns"


def image_of(page: PageImage) -> Image.Image:
    return Image.open(io.BytesIO(page.png)).convert("RGB")


def yellow_box(page: PageImage) -> tuple[int, int, int, int] | None:
    """What surrounds all that is highlighted: left, top, right, bottom."""
    blue = image_of(page).getchannel("B")
    red = image_of(page).getchannel("R")
    yellow = Image.eval(blue, lambda value: 255 if value < 150 else 0)
    bright = Image.eval(red, lambda value: 255 if value > 200 else 0)
    return Image.composite(yellow, Image.new("L", blue.size), bright).getbbox()


def page_of(path: Path, text: str, width: float, height: float, turned: int = 0) -> Path:
    """A PDF of one page, in points, with the text in its upper left corner."""
    document = fpdf.FPDF(unit="pt", format=(width, height))
    document.add_page()
    document.set_font("Helvetica", size=12)
    document.text(40, 60, text)
    document.output(str(path))
    if turned:
        path.write_bytes(path.read_bytes().replace(b"/Type /Page\n", b"/Type /Page\n/Rotate 90\n"))
    return path


async def test_the_mark_lies_over_the_quote(tmp_path: Path) -> None:
    path = page_of(tmp_path / "a.pdf", FEE, 600, 800)

    page = await PageRenderer().render(path, 1, ["fee of five"])

    box = yellow_box(page)
    assert page.marked == "whole"
    assert image_of(page).size == (1200, 1600)
    assert box is not None
    left, top, right, bottom = box
    # The text begins at 40 points, its base line is at 60; an image has two dots for a point.
    assert 120 < left < right < 500
    assert 90 < top < 120 < bottom < 135


async def test_the_mark_turns_with_the_page(tmp_path: Path) -> None:
    path = page_of(tmp_path / "a.pdf", FEE, 600, 800, turned=90)

    page = await PageRenderer().render(path, 1, [FEE])

    box = yellow_box(page)
    assert image_of(page).size == (1600, 1200)
    assert box is not None
    assert box[3] - box[1] > box[2] - box[0]


async def test_a_quote_over_two_pages_is_marked_as_far_as_it_stands_there(tmp_path: Path) -> None:
    path = documents.pdf(tmp_path / "a.pdf", ["Boats pay a fee", "of five crowns."])

    page = await PageRenderer().render(path, 1, [FEE])

    assert page.marked == "part"
    assert yellow_box(page) is not None


@pytest.mark.parametrize(("width", "height"), [(14_000, 14_000), (14_000, 10), (9, 9), (400, 700)])
async def test_no_page_makes_too_large_an_image(tmp_path: Path, width: int, height: int) -> None:
    path = page_of(tmp_path / "a.pdf", FEE, width, height)

    page = await PageRenderer().render(path, 1)

    image = image_of(page)
    # A side that is cut off between two dots becomes one dot longer.
    assert max(image.size) <= LONGEST_SIDE + 1
    assert image.width * image.height <= MOST_PIXELS * 1.01


async def test_a_page_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderer, "BOUNDS", Bounds(wall_seconds=0.01, answer_bytes=1000))
    path = documents.pdf(tmp_path / "a.pdf", [FEE])

    with pytest.raises(PageFailure, match="too long to draw"):
        await PageRenderer().render(path, 1)


async def test_a_page_that_unpacks_to_too_much_ends_with_a_reason(tmp_path: Path) -> None:
    path = documents.pdf_bomb(tmp_path / "a.pdf", 600)

    with pytest.raises(PageFailure) as failed:
        await PageRenderer().render(path, 1)

    assert failed.value.code == "page_not_drawable"
    assert failed.value.reason.endswith(".")


async def test_damaged_and_missing_files_end_with_a_reason(tmp_path: Path) -> None:
    damaged = tmp_path / "a.pdf"
    damaged.write_bytes(b"%PDF-1.4\n" + os.urandom(5000))

    with pytest.raises(PageFailure, match="damaged"):
        await PageRenderer().render(damaged, 1)
    with pytest.raises(PageFailure, match="not a PDF"):
        await PageRenderer().render(tmp_path / "gone.pdf", 1)


async def test_quotes_may_hold_any_character(tmp_path: Path) -> None:
    path = documents.pdf(tmp_path / "a.pdf", [FEE])

    page = await PageRenderer().render(path, 1, ["\x00\n'\"$(ls) – 猫 \ud800", "fee"])

    assert page.marked == "part"
