"""The editor of an assistant's functions."""

from collections.abc import Callable
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta import Assistant
from streamlit.testing.v1 import AppTest

from lib.dashboard.function_forms.ready_made import DISPLAY_QUIZ
from tests.pages.conftest import OpenPage
from tests.pages.elements import button, words

OpenEditor = Callable[[Assistant], AppTest]

PYTHON = '''
def rate(stars: int) -> bool:
    """Rates a lesson."""
'''


def tutor(client: OpenAI, *functions: dict[str, Any]) -> Assistant:
    tools: Any = [
        {"type": "code_interpreter"},
        *({"type": "function", "function": one} for one in functions),
    ]
    return client.beta.assistants.create(model="gpt-4o-mini", name="Math Tutor", tools=tools)


SCRIPT = """
from lib.dashboard.client import studio_client
from lib.dashboard.function_editor import edit_functions

edit_functions(studio_client().beta.assistants.retrieve({id!r}))
"""


@pytest.fixture
def open_editor(open_page: OpenPage) -> OpenEditor:  # noqa: ARG001  it names the server
    """The editor without its window, which a page under test would close at the first click."""
    return lambda assistant: AppTest.from_string(
        SCRIPT.format(id=assistant.id), default_timeout=20
    ).run()


def functions_of(client: OpenAI, assistant: Assistant) -> list[dict[str, Any]]:
    tools = client.beta.assistants.retrieve(assistant.id).tools
    found: list[Any] = [tool.to_dict().get("function") for tool in tools]
    return [function for function in found if function]


def definition_in(page: AppTest) -> Any:
    return next(area for area in page.text_area if area.label == "Definition as JSON")


def test_a_function_is_edited_with_a_preview_of_its_form(
    open_editor: OpenEditor, client: OpenAI
) -> None:
    assistant = tutor(client, DISPLAY_QUIZ)
    page = open_editor(assistant)
    assert "Sample quiz" in words(page)

    text = definition_in(page).value
    definition_in(page).set_value(text.replace("Displays a quiz", "Shows a quiz")).run()
    button(page, "Save").click().run()

    assert not page.exception
    [function] = functions_of(client, assistant)
    assert function["description"].startswith("Shows a quiz")
    kept = client.beta.assistants.retrieve(assistant.id)
    assert [tool.type for tool in kept.tools] == ["code_interpreter", "function"]


def test_a_mistake_is_pointed_at_and_not_saved(open_editor: OpenEditor, client: OpenAI) -> None:
    assistant = tutor(client, DISPLAY_QUIZ)
    page = open_editor(assistant)

    definition_in(page).set_value('{\n"name": "display quiz"\n}').run()
    button(page, "Save").click().run()

    assert "Line 2" in words(page)
    assert '2  "name": "display quiz"' in page.code[-1].value
    assert functions_of(client, assistant)[0]["name"] == "display_quiz"


def test_pasted_python_becomes_a_function(open_editor: OpenEditor, client: OpenAI) -> None:
    assistant = tutor(client)
    page = open_editor(assistant)

    page.text_area(key="pasted_definition").set_value(PYTHON).run()
    button(page, "Add what I pasted").click().run()
    button(page, "Save").click().run()

    [function] = functions_of(client, assistant)
    assert (function["name"], function["result_schema"]) == ("rate", {"type": "boolean"})


def test_a_paste_that_cannot_be_read_is_kept_and_said(
    open_editor: OpenEditor, client: OpenAI
) -> None:
    page = open_editor(tutor(client))

    page.text_area(key="pasted_definition").set_value('{"name": oops}').run()
    button(page, "Add what I pasted").click().run()

    assert page.text_area(key="pasted_definition").value == '{"name": oops}'
    assert "This cannot be read" in page.error[0].value


def test_formatting_and_removing(open_editor: OpenEditor, client: OpenAI) -> None:
    assistant = tutor(client, DISPLAY_QUIZ)
    page = open_editor(assistant)

    definition_in(page).set_value('{"parameters":{},"name":"quick"}').run()
    button(page, "Format").click().run()
    assert definition_in(page).value == '{\n  "name": "quick",\n  "parameters": {}\n}'
    button(page, "Remove").click().run()
    button(page, "Save").click().run()

    assert functions_of(client, assistant) == []


def test_runs_may_wait_for_days(open_editor: OpenEditor, client: OpenAI) -> None:
    assistant = tutor(client)
    page = open_editor(assistant)

    page.number_input(key="expires_number").set_value(30).run()
    page.segmented_control(key="expires_unit").set_value("days").run()
    button(page, "Save").click().run()

    kept = client.beta.assistants.retrieve(assistant.id).to_dict()
    assert kept["run_expires_after"] == 30 * 86_400


def test_longer_than_thirty_days_is_refused(open_editor: OpenEditor, client: OpenAI) -> None:
    page = open_editor(tutor(client))

    page.number_input(key="expires_number").set_value(31).run()
    page.segmented_control(key="expires_unit").set_value("days").run()
    button(page, "Save").click().run()

    assert page.error[0].value == "Runs may wait between one minute and 30 days."


def test_the_card_opens_the_editor(open_page: OpenPage, client: OpenAI) -> None:
    tutor(client, DISPLAY_QUIZ)
    page = open_page("assistants")

    button(page, "Functions (1)").click().run()

    assert not page.exception
    assert "Sample quiz" in words(page)
