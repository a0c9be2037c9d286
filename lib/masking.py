"""Keeps secrets out of what is shown: every place that shows recorded text masks it."""

import json
import re
from collections.abc import Iterable

MASK = "•••"
_SHORTEST = 4
"""Characters; a shorter secret is everywhere in ordinary text."""
_KEY_FORMS = {
    "sk-": r"(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,}",  # OpenAI and those who took over its form
    "gh": r"[pousr]_[A-Za-z0-9]{36,}",
    "github_pat_": r"[A-Za-z0-9_]{22,}",
    "hf_": r"[A-Za-z0-9]{30,}",
    "xox": r"[abprs]-[A-Za-z0-9-]{10,}",  # Slack
    "AKIA": r"[A-Z0-9]{16}",  # Amazon
    "AIza": r"[A-Za-z0-9_-]{35}",  # Google
    "eyJ": r"[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",  # JSON Web Tokens
}
"""What well-known kinds of keys begin with, and how they go on."""

# Each begins with plain letters, which are found quickly in long texts; only then comes the look at
# what stands before them.
_KEYS = [re.compile(f"{start}(?<![A-Za-z0-9]{start}){rest}") for start, rest in _KEY_FORMS.items()]
_BEARER = re.compile(r"earer(?<=[Bb]earer)( +)[A-Za-z0-9._~+/=-]{12,}")


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
    text = _BEARER.sub(rf"earer\1{MASK}", text)
    for key in _KEYS:
        text = key.sub(MASK, text)
    return text
