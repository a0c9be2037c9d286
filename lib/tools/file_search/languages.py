"""Tells a text's language, as far as it can be told."""

from collections import Counter
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

ENGLISH = "en"
SAMPLES = 3
SAMPLE_CHARACTERS = 1000
# Short texts and code look a little like many languages.
SURE = 0.5
FOREIGN_SCRIPT_SHARE = 0.2
LAST_LATIN = "\u024f"


def language_of(text: str) -> str | None:
    """The ISO 639-1 code of the text's language; None when it cannot be told."""
    votes = Counter(_sure_language(sample) for sample in _samples(text))
    return votes.most_common(1)[0][0]


def may_be_english(text: str) -> bool:
    """False for text in another script and for text that is clearly in another language."""
    samples = _samples(text)
    votes = [
        not _has_foreign_script(sample) and _sure_language(sample) in (ENGLISH, None)
        for sample in samples
    ]
    return sum(votes) * 2 > len(votes)


def _samples(text: str) -> list[str]:
    if len(text) <= SAMPLES * SAMPLE_CHARACTERS:
        return [text]
    # The first pages of a document are often names and numbers, so look further in as well.
    starts = [len(text) * place // (SAMPLES + 1) for place in range(1, SAMPLES + 1)]
    return [text[start : start + SAMPLE_CHARACTERS] for start in starts]


def _has_foreign_script(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    foreign = sum(character > LAST_LATIN for character in letters)
    return foreign > len(letters) * FOREIGN_SCRIPT_SHARE


def _sure_language(text: str) -> str | None:
    language, probability = _identifier().classify(text)
    return str(language) if probability >= SURE else None


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
