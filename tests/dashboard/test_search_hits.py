from lib.dashboard.search_hits import SHOWN_CHARACTERS, excerpt, highlighted


def test_words_are_marked_whatever_their_ending() -> None:
    shown = highlighted("She sleeps. A sleepy cat.", "sleeping cats")

    assert shown == (
        "She :orange-background[sleeps]. A :orange-background[sleepy] :orange-background[cat]."
    )


def test_signs_of_markdown_are_shown_as_they_are() -> None:
    assert highlighted("a *b* [c](d)", "zzz") == r"a \*b\* \[c\]\(d\)"


def test_an_excerpt_is_taken_where_the_words_stand() -> None:
    text = "filler " * 300 + "the harbour opens at nine " + "filler " * 300

    shown = excerpt(text, "when does the harbour open")

    assert "harbour opens at nine" in shown
    assert len(shown) < SHOWN_CHARACTERS + 10
    assert shown.startswith("… ")
    assert shown.endswith(" …")
