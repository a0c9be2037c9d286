"""A quote is found however its spaces, hyphens and letters are written."""

import pytest

from lib.tools.file_search.citations.quote_places import place_of

PAGE = (
    "Preface\r\nThe har\x02\r\nbour opens at nine o’clock.\r\nBoats pay a ﬁxed fee of five crowns."
)


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("Boats pay", "Boats pay"),
        ("The harbour opens", "The har\x02\r\nbour opens"),
        ("opens at nine o'clock. Boats", "opens at nine o’clock.\r\nBoats"),
        ("a fixed\nfee", "a ﬁxed fee"),
        ("THE HARBOUR", "The har\x02\r\nbour"),
        ("five  crowns", "five crowns"),
    ],
)
def test_the_whole_quote_is_found_as_the_text_has_it(quote: str, found: str) -> None:
    place = place_of(quote, PAGE)

    assert place is not None
    assert place.is_whole
    assert PAGE[place.start : place.end] == found


def test_of_a_quote_that_goes_on_elsewhere_the_longest_part_is_found() -> None:
    place = place_of("(from page 2) Boats pay a fixed fee of ten crowns", PAGE)

    assert place is not None
    assert not place.is_whole
    assert PAGE[place.start : place.end] == "Boats pay a ﬁxed fee of"


@pytest.mark.parametrize("quote", ["", "   ", "…", "Elephants never forget", "the open crowns"])
def test_a_quote_that_is_not_there_is_not_found(quote: str) -> None:
    assert place_of(quote, PAGE) is None


@pytest.mark.parametrize(
    ("text", "quote"),
    [("猫は一日に十六時間眠ります。", "十六時間 眠ります"), ("कि बिल्लियाँ सोती हैं", "बिल्लियाँ  सोती")],
)
def test_other_scripts_are_found_too(text: str, quote: str) -> None:
    place = place_of(quote, text)

    assert place is not None
    assert place.is_whole


def test_a_long_text_made_to_hurt_is_searched_quickly() -> None:
    place = place_of("ab" * 900 + "c", "ab" * 100_000)

    assert place is not None
    assert not place.is_whole
