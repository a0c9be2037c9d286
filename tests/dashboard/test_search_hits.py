from typing import Any

import pytest
from openai.types import VectorStoreSearchResponse

from lib.dashboard.search_hits import SHOWN_CHARACTERS, excerpt, highlighted, page_of


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


def hit(text: str, starts: list[dict[str, int]]) -> VectorStoreSearchResponse:
    found: dict[str, Any] = {
        "file_id": "file-1",
        "filename": "paper.pdf",
        "score": 0.9,
        "attributes": {},
        "content": [{"type": "text", "text": text}],
        "page_starts": starts,
    }
    return VectorStoreSearchResponse.model_validate(found)


@pytest.mark.parametrize(
    ("shown", "page"),
    [("on the first page", 3), ("… the second page", 4), ("page and then the second page", 4)],
)
def test_an_excerpt_leads_to_the_page_on_which_most_of_it_stands(shown: str, page: int) -> None:
    starts = [{"offset": 0, "page": 3}, {"offset": 27, "page": 4}]

    cited = page_of(hit("on the first page and then the second page", starts), shown)

    assert cited is not None
    assert cited.page == page
    assert cited.quotes == [shown.removeprefix("… ")]


def test_an_excerpt_of_a_format_without_pages_leads_to_none() -> None:
    assert page_of(hit("cats sleep", []), "cats sleep") is None
