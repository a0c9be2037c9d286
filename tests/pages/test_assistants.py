from openai import OpenAI

from tests.pages.conftest import OpenPage
from tests.pages.elements import button, words


def test_an_empty_studio_offers_the_math_tutor_in_one_click(
    open_page: OpenPage, client: OpenAI
) -> None:
    page = open_page("assistants")

    button(page, "Create the Math Tutor").click().run()

    assert not page.exception
    assert [one.name for one in client.beta.assistants.list()] == ["Math Tutor"]
    assert "Math Tutor" in words(page)
    assert button(page, "Chat")


def test_every_assistant_can_be_copied_by_its_id(open_page: OpenPage, client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o-mini", name="Poet")

    page = open_page("assistants")

    assert assistant.id in [code.value for code in page.code]


def test_names_with_markdown_in_them_are_shown_as_they_are(
    open_page: OpenPage, client: OpenAI
) -> None:
    client.beta.assistants.create(model="gpt-4o-mini", name="*Star* [a](http://example.org)")

    page = open_page("assistants")

    assert not page.exception
    assert r"\*Star\* \[a\]\(http\://example.org\)" in words(page)


def test_more_assistants_than_fit_come_on_demand(open_page: OpenPage, client: OpenAI) -> None:
    for number in range(26):
        client.beta.assistants.create(model="gpt-4o-mini", name=f"Helper {number}")
    page = open_page("assistants")
    assert r"Helper 0" not in words(page).splitlines()

    button(page, "Show more").click().run()

    assert "#### Helper 0" in words(page).splitlines()


def test_deleting_asks_first_and_says_what_stays(open_page: OpenPage, client: OpenAI) -> None:
    client.beta.assistants.create(model="gpt-4o-mini", name="Poet")
    page = open_page("assistants")

    button(page, "Delete").click().run()

    assert "**Poet** will be gone for good" in words(page)
    assert len(client.beta.assistants.list().data) == 1
