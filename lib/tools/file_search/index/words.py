"""Prepares text for FTS5, whose tokenizer knows no script that is written without spaces."""

import re
import unicodedata

# Chinese, Japanese and Korean, and the scripts of South East Asia.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")
LONGEST_WORD = 64


def spaced(text: str) -> str:
    """The text with every run of an unspaced script as overlapping pairs of characters."""
    return _UNSPACED_RUN.sub(_pairs, text)


def query_words(query: str) -> list[str]:
    """The different words of a query, in order, as the tokenizer will see them."""
    kept = (character if _is_word(character) else " " for character in spaced(query))
    return list(dict.fromkeys(word[:LONGEST_WORD] for word in "".join(kept).lower().split()))


def _pairs(run: re.Match[str]) -> str:
    text = run.group()
    if len(text) == 1:
        return f" {text} "
    return " " + " ".join(text[place : place + 2] for place in range(len(text) - 1)) + " "


def _is_word(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LNM" or category == "Co"
