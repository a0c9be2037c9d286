import io
import struct
import zlib

import pytest
from PIL import Image

from lib.dashboard.file_previews import (
    PreviewError,
    checked_image,
    checked_pdf,
    kind_of,
    table_of,
    text_of,
)


def png(width: int = 2, height: int = 2) -> bytes:
    image = io.BytesIO()
    Image.new("RGB", (width, height)).save(image, "PNG")
    return image.getvalue()


def bomb() -> bytes:
    """A PNG of a few bytes that says it is huge."""
    header = b"IHDR" + struct.pack("!IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    checksum = struct.pack("!I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack("!I", 13) + header + checksum


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("plot.PNG", "image"),
        ("data.csv", "table"),
        ("lesson.pdf", "pdf"),
        ("notes.txt", "text"),
        ("page.html", "text"),
        ("drawing.svg", "text"),
        ("no_suffix", "text"),
    ],
)
def test_a_name_says_how_a_file_is_shown(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_an_image_is_shown_as_it_is() -> None:
    assert checked_image(png()) == png()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"<svg onload=alert(1)>", id="a drawing with a script"),
        pytest.param(b"<html><script>alert(1)</script>", id="a page"),
        pytest.param(b"", id="nothing"),
        pytest.param(bomb(), id="more pixels than memory"),
        pytest.param(png(5_000, 5_000), id="more pixels than are decoded here"),
    ],
)
def test_what_only_calls_itself_an_image_is_refused(content: bytes) -> None:
    with pytest.raises(PreviewError):
        checked_image(content)


def test_a_table_is_read_as_text_so_that_nothing_in_it_changes() -> None:
    table = table_of("data.csv", b"code,name\n007,N/A\n", is_cut=False)

    assert table.is_whole
    assert table.rows.to_dict("list") == {"code": ["007"], "name": ["N/A"]}


def test_a_cut_table_ends_with_a_whole_line() -> None:
    table = table_of("data.tsv", b"a\tb\n1\t2\n3\t", is_cut=True)

    assert not table.is_whole
    assert table.rows.to_numpy().tolist() == [["1", "2"]]


def test_a_long_table_shows_its_beginning() -> None:
    table = table_of("data.csv", b"n\n" + b"1\n" * 500, is_cut=False)

    assert len(table.rows) == 200
    assert not table.is_whole


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'"open'])
def test_a_broken_table_is_said_in_a_sentence_or_shown(content: bytes) -> None:
    try:
        table_of("data.csv", content, is_cut=False)
    except PreviewError as problem:
        assert str(problem).endswith(".")


def test_text_may_be_cut_in_the_middle_of_a_character() -> None:
    assert text_of("né".encode()[:-1]) == "n"


@pytest.mark.parametrize("content", [b"PK\x03\x04\0\0", bytes(range(1, 32)) * 10])
def test_what_is_no_text_is_not_shown_as_text(content: bytes) -> None:
    with pytest.raises(PreviewError):
        text_of(content)


def test_a_pdf_must_begin_as_one() -> None:
    with pytest.raises(PreviewError):
        checked_pdf(b"<html>")
