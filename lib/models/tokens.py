"""Counting tokens without asking a model."""

import asyncio
from functools import cache
from typing import Any

_SLICE = 50_000
"""Characters counted in one go: the tokenizer refuses more than 200,000 tokens at once."""

_SHORT = 2_000
"""Characters that are counted sooner than a thread is woken."""


async def estimate_tokens(text: str) -> int:
    """Tokens in the text by OpenAI's o200k vocabulary: exact for its models, near for others."""
    if len(text) <= _SHORT:
        return _count(text)
    return await asyncio.to_thread(_count, text)


def _count(text: str) -> int:
    encoding = _encoding()
    slices = (text[at : at + _SLICE] for at in range(0, len(text), _SLICE))
    return sum(len(encoding.encode_ordinary(part)) for part in slices)


@cache
def _encoding() -> Any:
    # Importing it unpacks every vocabulary, which takes a second: not at the server's start.
    import bpe_openai

    return bpe_openai.get_encoding("o200k_base")
