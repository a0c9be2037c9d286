"""Which file names can be searched, and which family of parser reads them."""

from pathlib import PurePath

from lib.tools.file_search.parsing.document import ParseFailure

OFFICE = {
    ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
CODE = (
    *(".c", ".cpp", ".cs", ".css", ".go", ".h", ".java", ".js", ".kt", ".php", ".py", ".rb"),
    *(".rs", ".sh", ".sql", ".swift", ".tex", ".ts", ".tsx", ".xml", ".yaml", ".yml"),
)
FAMILIES: dict[str, str] = {
    ".pdf": "pdf",
    **dict.fromkeys(OFFICE, "office"),
    **dict.fromkeys((".html", ".htm"), "html"),
    **dict.fromkeys((".csv", ".tsv"), "delimited"),
    ".json": "json_text",
    **dict.fromkeys((".txt", ".text", ".log", ".md", ".markdown", ".rst"), "plain"),
    **dict.fromkeys(CODE, "plain"),
}
# Formats whose first bytes say what they are; any of them under another name is a wrong extension.
SIGNATURES = {
    b"%PDF-": ("a PDF", (".pdf",)),
    b"PK\x03\x04": ("a ZIP archive or an Office document", (".docx", ".pptx", ".xlsx")),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("an old or encrypted Office document", (".doc",)),
    b"\x89PNG\r\n": ("a PNG picture", ()),
    b"\xff\xd8\xff": ("a JPEG picture", ()),
    b"GIF8": ("a GIF picture", ()),
    b"\x1f\x8b": ("a gzip archive", ()),
    b"\x7fELF": ("a program", ()),
}


def extension_of(filename: str) -> str:
    """The lower-case extension with its dot. Raises ParseFailure when it cannot be searched."""
    extension = PurePath(filename.strip()).suffix.lower()
    if extension in FAMILIES:
        return extension
    named = f"Files ending in {extension}" if extension else "Files without an extension"
    raise ParseFailure(
        "unsupported_file",
        f"{named} cannot be searched. Supported are: {', '.join(sorted(FAMILIES))}.",
    )


def check_signature(head: bytes, extension: str) -> None:
    """Raise ParseFailure when the first bytes belong to another format than the name says."""
    for signature, (kind, extensions) in SIGNATURES.items():
        if head.startswith(signature) and extension not in extensions:
            raise ParseFailure("invalid_file", _mismatch(kind, extension))
    if extension == ".pdf" and b"%PDF-" not in head:
        raise ParseFailure("invalid_file", "The file is named .pdf but is not a PDF.")
    if extension in OFFICE and not head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise ParseFailure(
            "invalid_file", f"The file is named {extension} but is not an Office document."
        )


def _mismatch(kind: str, extension: str) -> str:
    if extension in OFFICE and kind.startswith("an old"):
        return (
            "The document is encrypted or in an old Office format: save it anew without password."
        )
    return f"The file is named {extension} but is {kind}."
