"""Texts that people wrote, made fit for places that read Markdown."""

from lib.dashboard.formatting import shortened

SIGNS = r"\`*_{}[]()#+-!:$<>|~"


def heading(text: str, limit: int) -> str:
    """The text as a title of one line: without code marks, and shortened."""
    return plain(shortened(text.replace("`", ""), limit))


def plain(text: str) -> str:
    """The text with Markdown's signs shown as they are."""
    return "".join(f"\\{sign}" if sign in SIGNS else sign for sign in text)
