"""Prepares text for FTS5, whose tokenizer stems English alone and finds no words in scripts that
are written without spaces."""

import re
import threading
import unicodedata
from collections.abc import Iterable

import Stemmer

# Chinese, Japanese and Korean, and the scripts of South East Asia.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")
_WORD = re.compile(r"[^\W\d_]+")
LONGEST_WORD = 64
STEMMED = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}

# A stemmer keeps a buffer of its own, so threads cannot share one.
_stemmers = threading.local()


def prepared(text: str, language: str | None) -> str:
    """The text with words of `language` (ISO 639-1) stemmed, and every run of an unspaced script
    as overlapping pairs of characters."""
    stemmer = _stemmer(language)
    if stemmer:
        text = _WORD.sub(lambda word: str(stemmer.stemWord(word.group().lower())), text)
    return _UNSPACED_RUN.sub(_pairs, text)


def query_words(query: str, languages: Iterable[str | None] = (None,)) -> list[str]:
    """The different words of a query as texts in any of the languages are indexed with."""
    words: dict[str, None] = {}
    for language in languages:
        kept = (each if _is_word(each) else " " for each in prepared(query, language))
        words |= dict.fromkeys(word[:LONGEST_WORD] for word in "".join(kept).lower().split())
    return list(words)


def _stemmer(language: str | None) -> Stemmer.Stemmer | None:
    if language not in STEMMED:
        return None
    found: Stemmer.Stemmer | None = getattr(_stemmers, language, None)
    if found is None:
        found = Stemmer.Stemmer(STEMMED[language])
        setattr(_stemmers, language, found)
    return found


def _pairs(run: re.Match[str]) -> str:
    text = run.group()
    if len(text) == 1:
        return f" {text} "
    return " " + " ".join(text[place : place + 2] for place in range(len(text) - 1)) + " "


def _is_word(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LNM" or category == "Co"
