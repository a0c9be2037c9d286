"""Tells whether a text is English, as far as it can be told."""

from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

SAMPLES = 3
SAMPLE_CHARACTERS = 1000
# Short texts and code look a little like many languages; only a clear other language counts.
SURE = 0.5
FOREIGN_SCRIPT_SHARE = 0.2
LAST_LATIN = "\u024f"


def is_english(text: str) -> bool:
    """False for text in another script and for text that is clearly in another language."""
    samples = _samples(text)
    votes = [_looks_english(sample) for sample in samples]
    return sum(votes) * 2 >= len(votes)


def _samples(text: str) -> list[str]:
    if len(text) <= SAMPLES * SAMPLE_CHARACTERS:
        return [text]
    # The first pages of a document are often names and numbers, so look further in as well.
    starts = [len(text) * place // (SAMPLES + 1) for place in range(1, SAMPLES + 1)]
    return [text[start : start + SAMPLE_CHARACTERS] for start in starts]


def _looks_english(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    foreign = sum(character > LAST_LATIN for character in letters)
    if foreign > len(letters) * FOREIGN_SCRIPT_SHARE:
        return False
    language, probability = _identifier().classify(text)
    return bool(language == "en" or probability < SURE)


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
