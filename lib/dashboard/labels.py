"""Texts that people wrote, made fit for places that read Markdown."""

SIGNS = r"\`*_{}[]()#+-!:$<>|~"


def plain(text: str) -> str:
    """The text with Markdown's signs shown as they are."""
    return "".join(f"\\{sign}" if sign in SIGNS else sign for sign in text)
