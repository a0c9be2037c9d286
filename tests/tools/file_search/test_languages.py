"""Languages are told where they can be told."""

import pytest

from lib.tools.file_search.languages import language_of, may_be_english


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The committee approved the annual budget for the new library.", "en"),
        ("Der Ausschuss hat den Haushalt für die neue Bibliothek genehmigt.", "de"),
        ("Комитет утвердил годовой бюджет новой библиотеки.", "ru"),
        ("x = y", None),
    ],
)
def test_the_language_of_a_sentence_is_told(text: str, language: str | None) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("text", ["invoice 4711", "What is the refund policy?", "def main():", ""])
def test_what_may_be_english_counts_as_english(text: str) -> None:
    assert may_be_english(text)


@pytest.mark.parametrize(
    "text", ["¿Cuántos puntos cedió la defensa?", "委员会批准了年度预算", "سياسة الإرجاع للعملاء"]
)
def test_what_is_clearly_another_language_does_not(text: str) -> None:
    assert not may_be_english(text)
