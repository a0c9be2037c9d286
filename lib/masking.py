"""Keeps secrets out of what is shown: every place that shows recorded text masks it."""

import json
import re
from collections.abc import Iterable

MASK = "•••"
_SHORTEST = 4
"""Characters; a shorter secret is everywhere in ordinary text."""
_KEY_LIKE = re.compile(
    r"(?<![A-Za-z0-9])"
    r"(?:"
    r"sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,}"  # OpenAI and those who took over its form
    r"|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}"
    r"|hf_[A-Za-z0-9]{30,}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}"  # Slack
    r"|AKIA[A-Z0-9]{16}"  # Amazon
    r"|AIza[A-Za-z0-9_-]{35}"  # Google
    r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"  # JSON Web Tokens
    r")"
)
_BEARER = re.compile(r"(?i)(?<![a-z0-9])(bearer +)[a-z0-9._~+/=-]{12,}")


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced, also where it stands inside JSON.

    Beside the `secrets` that are known, whatever has the form of a well-known kind of key, and what
    follows `Bearer`.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) < _SHORTEST:
            continue
        for spelt in {secret, json.dumps(secret)[1:-1]}:
            text = text.replace(spelt, MASK)
    text = _BEARER.sub(rf"\1{MASK}", text)
    return _KEY_LIKE.sub(MASK, text)
