"""What a message says, without its images and files."""

from collections.abc import Sequence

from lib.store.tables import Json


def texts_of(content: Sequence[Json]) -> list[str]:
    """The text blocks of a stored message's content, in their order."""
    return [part["text"]["value"] for part in content if part["type"] == "text"]
