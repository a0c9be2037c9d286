from pytest import MonkeyPatch

from tests.doubles.model_endpoint import ModelEndpoint
from tests.pages.conftest import OpenPage
from tests.pages.elements import words


def test_the_endpoint_and_its_state_are_shown(open_page: OpenPage, endpoint: ModelEndpoint) -> None:
    page = open_page("settings")

    facts = page.table[0].value.to_string()
    assert not page.exception
    assert endpoint.base_url in facts
    assert "Ready" in facts
    assert "Everything is in order" in words(page)


def test_secrets_are_never_shown(open_page: OpenPage) -> None:
    page = open_page("settings")

    table = page.dataframe[0].value
    shown = dict(zip(table["Name"], table["Value"], strict=True))
    assert shown["MODEL_API_KEY"] == "set"
    assert "key-of-the-double" not in table.to_string()


def test_the_three_lines_for_own_code_are_ready_to_copy(open_page: OpenPage) -> None:
    page = open_page("settings")

    lines = page.code[0].value.splitlines()
    assert len(lines) == 3
    assert lines[0] == "from openai import OpenAI"


def test_a_server_that_is_away_is_said_in_one_sentence(
    open_page: OpenPage, monkeypatch: MonkeyPatch
) -> None:
    page = open_page("settings")
    monkeypatch.setenv("STUDIO_API_URL", "http://127.0.0.1:9/v1")

    page.run()

    assert not page.exception
    assert page.error[0].value.startswith("The server cannot be reached")


def test_the_password_is_asked_for_on_every_page(
    open_page: OpenPage, monkeypatch: MonkeyPatch
) -> None:
    monkeypatch.setenv("DASHBOARD_PASSWORD", "open sesame")

    page = open_page("settings")
    assert not page.table
    page.text_input[0].set_value("open sesame")
    page.button[0].click().run()

    assert page.table
