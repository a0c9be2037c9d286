"""Keeps secrets out of what is shown: every place that shows recorded text masks it."""

import json
from collections.abc import Iterable

MASK = "•••"
_SHORTEST = 4
"""Characters; a shorter secret is everywhere in ordinary text."""


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced, also where it stands inside JSON."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) < _SHORTEST:
            continue
        for spelt in {secret, json.dumps(secret)[1:-1]}:
            text = text.replace(spelt, MASK)
    return text
