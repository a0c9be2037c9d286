"""Real documents of each format, made as the tests need them."""

import io
import zipfile
import zlib
from pathlib import Path

import docx
import fpdf
import openpyxl
import pptx

MEGABYTE = 1 << 20


def pdf(path: Path, pages: list[str], password: str | None = None) -> Path:
    document = fpdf.FPDF()
    document.set_font("Helvetica", size=12)
    if password:
        document.set_encryption(owner_password=password, user_password=password)
    for text in pages:
        document.add_page()
        if text:
            document.multi_cell(0, text=text)
    document.output(str(path))
    return path


def word(path: Path, paragraphs: list[str]) -> Path:
    document = docx.Document()
    for text in paragraphs:
        document.add_paragraph(text)
    document.save(str(path))
    return path


def slides(path: Path, titles: list[str]) -> Path:
    presentation = pptx.Presentation()
    for title in titles:
        slide = presentation.slides.add_slide(presentation.slide_layouts[0])
        assert slide.shapes.title is not None
        slide.shapes.title.text = title
    presentation.save(str(path))
    return path


def workbook(path: Path, sheets: dict[str, list[list[str | int]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def workbook_bomb(path: Path, megabytes: int) -> Path:
    """A workbook whose one sheet unpacks to `megabytes`."""
    small = io.BytesIO()
    openpyxl.Workbook().save(small)
    with zipfile.ZipFile(small) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            if not name.startswith("xl/worksheets/"):
                target.writestr(name, source.read(name))
        info = zipfile.ZipInfo("xl/worksheets/sheet1.xml")
        info.compress_type = zipfile.ZIP_DEFLATED
        with target.open(info, "w", force_zip64=True) as sheet:
            sheet.write(b'<?xml version="1.0"?><worksheet><sheetData>')
            for _ in range(megabytes):
                sheet.write(b"<row><c><v>1</v></c></row>" * (MEGABYTE // 26))
            sheet.write(b"</sheetData></worksheet>")
    return path


def pdf_bomb(path: Path, megabytes: int) -> Path:
    """A PDF of about 1.5 MB whose page unpacks to `megabytes` of drawing orders."""
    packer = zlib.compressobj(9)
    block = b"BT /F1 9 Tf (aaaaaaaa) Tj ET\n" * (MEGABYTE // 29)
    packed = b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % len(body)
    path.write_bytes(body + b"xref\n0 6\n0000000000 65535 f \n" + table + trailer)
    return path
