"""Objects of the API as pages show them to whoever looks: without secrets."""

import json
from typing import TypeVar

from openai import BaseModel

from lib.dashboard.client import studio_settings
from lib.masking import mask

Shown = TypeVar("Shown", bound=BaseModel)


def masked(shown: Shown) -> Shown:
    """The same object with every secret in it replaced."""
    text = shown.to_json(indent=None)
    safe = masked_text(text)
    return shown if safe == text else type(shown).construct(**json.loads(safe))


def masked_text(text: str) -> str:
    """The text with every secret in it replaced."""
    return mask(text, studio_settings().secrets())
