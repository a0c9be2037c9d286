"""PDF files."""

from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_raw

from lib.tools.file_search.parsing.document import Page, ParseFailure, clean


def parse(path: Path, extension: str) -> list[Page]:  # noqa: ARG001
    document = open_document(path)
    try:
        pages = [Page(_text(document, index), index + 1) for index in range(len(document))]
    finally:
        document.close()
    if not any(page.text for page in pages):
        raise ParseFailure("unsupported_file", _without_text(len(pages)))
    return pages


def open_document(path: Path) -> pdfium.PdfDocument:
    """Raises ParseFailure for a file that is damaged or protected."""
    try:
        return pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        raise _failure(error) from None


def _text(document: pdfium.PdfDocument, index: int) -> str:
    try:
        page = document[index]
        textpage = page.get_textpage()
    except pdfium.PdfiumError:
        return ""
    try:
        return clean(textpage.get_text_bounded())
    finally:
        textpage.close()
        page.close()


def _failure(error: pdfium.PdfiumError) -> ParseFailure:
    if getattr(error, "err_code", None) == pdfium_raw.FPDF_ERR_PASSWORD:
        return ParseFailure("invalid_file", "The PDF is protected by a password: remove it first.")
    return ParseFailure("invalid_file", "The PDF is damaged and cannot be opened.")


def _without_text(pages: int) -> str:
    if not pages:
        return "The PDF has no pages."
    counted = "1 page" if pages == 1 else f"{pages} pages"
    return (
        f"The PDF has {counted} but no text: it looks scanned. "
        "Run text recognition (OCR) over it and upload the result."
    )
