"""Counting tokens."""

from lib.models.tokens import estimate_tokens


async def test_a_sentence_has_as_many_tokens_as_openai_counts() -> None:
    assert await estimate_tokens("Hello world") == 2


async def test_special_tokens_in_a_text_are_just_text() -> None:
    assert await estimate_tokens("<|endoftext|>") > 1


async def test_a_very_long_text_is_counted_to_its_end() -> None:
    assert await estimate_tokens("The quick brown fox. " * 100_000) >= 500_000
