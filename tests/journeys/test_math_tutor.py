"""What a person does in the browser, from the first page to the inspected run."""

import re

import pytest
from openai import OpenAI
from playwright.sync_api import Page, expect

from lib.dashboard.studio_api import list_threads
from tests.doubles.model_endpoint import ModelEndpoint
from tests.journeys.interaction import choose

# A browser on a busy machine takes its time.
pytestmark = pytest.mark.timeout(400)

ANSWER = "Of course. Subtract eleven from both sides, divide by three: \\( x = 1 \\). Done."
BEGINNING = "Of course."


def create_the_tutor_and_open_its_chat(page: Page, studio: str) -> None:
    page.goto(studio)
    page.get_by_role("button", name="Create the Math Tutor").click()
    page.get_by_role("button", name="Chat", exact=False).click()
    expect(page.get_by_text("Ask Math Tutor")).to_be_visible()


def ask_for_the_equation(page: Page) -> None:
    page.get_by_text("Solve an equation").click()
    expect(page.get_by_text("I need to solve the equation").last).to_be_visible()


def test_the_math_tutor_answers_word_by_word(
    page: Page, studio: str, endpoint: ModelEndpoint
) -> None:
    endpoint.will_answer(ANSWER, token_delay=0.15)
    create_the_tutor_and_open_its_chat(page, studio)

    ask_for_the_equation(page)

    answer = page.get_by_test_id("stChatMessage").last
    expect(answer).to_contain_text(BEGINNING)
    assert "Done." not in answer.inner_text()
    expect(answer).to_contain_text("Done.")
    expect(answer.locator(".katex").first).to_be_visible()
    expect(page.get_by_test_id("stChatInputTextArea")).to_be_enabled()


def test_a_reload_in_mid_answer_loses_nothing(
    page: Page, studio: str, endpoint: ModelEndpoint
) -> None:
    endpoint.will_answer(ANSWER, token_delay=0.3)
    create_the_tutor_and_open_its_chat(page, studio)
    ask_for_the_equation(page)
    expect(page.get_by_test_id("stChatMessage").last).to_contain_text(BEGINNING)

    page.reload()

    answer = page.get_by_test_id("stChatMessage").last
    expect(answer).to_contain_text("Done.")
    assert answer.inner_text().count(BEGINNING) == 1
    expect(page.get_by_test_id("stChatMessage")).to_have_count(2)
    assert len(endpoint.requests) == 1


def test_leaving_for_another_page_and_coming_back_loses_nothing(
    page: Page, studio: str, endpoint: ModelEndpoint
) -> None:
    endpoint.will_answer(ANSWER, token_delay=0.3)
    create_the_tutor_and_open_its_chat(page, studio)
    ask_for_the_equation(page)
    expect(page.get_by_test_id("stChatMessage").last).to_contain_text(BEGINNING)

    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", name="Settings in force")).to_be_visible()
    page.get_by_role("link", name="Chat", exact=True).click()

    expect(page.get_by_test_id("stChatMessage").last).to_contain_text("Done.")
    assert len(endpoint.requests) == 1


def test_a_closed_tab_does_not_stop_the_answer(
    page: Page, studio: str, endpoint: ModelEndpoint
) -> None:
    endpoint.will_answer(ANSWER, token_delay=0.2)
    create_the_tutor_and_open_its_chat(page, studio)
    ask_for_the_equation(page)
    expect(page.get_by_test_id("stChatMessage").last).to_contain_text(BEGINNING)
    address, context = page.url, page.context

    page.close()

    later = context.new_page()
    later.goto(address)
    expect(later.get_by_test_id("stChatMessage").last).to_contain_text("Done.")
    assert not endpoint.requests[0].disconnected


def test_the_stop_button_ends_the_answer_and_says_so(
    page: Page, studio: str, endpoint: ModelEndpoint, client: OpenAI
) -> None:
    endpoint.default_answer(tokens=2_000, token_delay=0.1)
    create_the_tutor_and_open_its_chat(page, studio)
    ask_for_the_equation(page)
    expect(page.get_by_test_id("stChatMessage").last).to_contain_text("word")

    page.get_by_role("button", name="Stop").click()

    expect(page.get_by_text("You stopped this answer.")).to_be_visible()
    expect(page.get_by_test_id("stChatInputTextArea")).to_be_enabled()
    run_id = str(re.findall(r"run=(run_\w+)", page.url)[0])
    thread_id = str(re.findall(r"thread=(thread_\w+)", page.url)[0])
    assert client.beta.threads.runs.retrieve(run_id, thread_id=thread_id).status == "cancelled"


def test_the_run_can_be_inspected_with_its_steps(
    page: Page, studio: str, endpoint: ModelEndpoint
) -> None:
    endpoint.will_answer(ANSWER)
    create_the_tutor_and_open_its_chat(page, studio)
    ask_for_the_equation(page)
    answer = page.get_by_test_id("stChatMessage").last
    expect(answer).to_contain_text("Done.")

    answer.get_by_role("link", name="Run").click()

    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    expect(page.get_by_role("heading", name="I need to solve the equation")).to_be_visible()
    expect(page.get_by_text("Choose a step to see it whole.")).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_have_count(2)


def test_every_object_shows_its_json_and_its_sdk_call(page: Page, studio: str) -> None:
    page.goto(studio)
    page.get_by_role("button", name="Create the Math Tutor").click()

    page.get_by_role("button", name="Code").click()

    expect(page.get_by_text("client.beta.assistants.create").last).to_be_visible()
    page.get_by_role("tab", name="Raw JSON").click()
    expect(page.get_by_text('"object": "assistant"').last).to_be_visible()


def test_an_assistant_is_created_edited_and_deleted(
    page: Page, studio: str, client: OpenAI
) -> None:
    page.goto(studio)
    page.get_by_role("button", name="Start from scratch").click()
    page.get_by_role("textbox", name="Name").fill("Poet")
    page.get_by_role("textbox", name="Instructions").fill("Answer in rhymes.")
    page.get_by_role("button", name="Create assistant").click()
    expect(page.get_by_role("heading", name="Poet")).to_be_visible()

    page.get_by_role("button", name="Edit").click()
    page.get_by_role("textbox", name="Description").fill("Rhymes all day.")
    [poet] = client.beta.assistants.list().data
    client.beta.assistants.update(poet.id, instructions="Changed by somebody else meanwhile.")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Rhymes all day.")).to_be_visible()
    changed = client.beta.assistants.retrieve(poet.id)
    assert changed.instructions == "Changed by somebody else meanwhile."

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("button", name="Create the Math Tutor")).to_be_visible()
    assert client.beta.assistants.list().data == []


def test_a_thread_is_renamed_and_deleted(
    page: Page, studio: str, endpoint: ModelEndpoint, client: OpenAI
) -> None:
    endpoint.will_answer("One.")
    create_the_tutor_and_open_its_chat(page, studio)
    ask_for_the_equation(page)
    expect(page.get_by_test_id("stChatMessage").last).to_contain_text("One.")
    # Not by its name alone: the menu may be drawn last, and "New thread" has it too.
    menu = page.get_by_test_id("stMenuButtonButton").filter(has_text="Thread")
    dialog = page.get_by_role("dialog")

    choose(menu, page.get_by_role("menuitem", name="Rename"), opens=dialog)
    dialog.get_by_role("textbox", name="Title").fill("Equations")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Equations")).to_be_visible()

    choose(menu, page.get_by_role("menuitem", name="Delete"), opens=dialog)
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Ask Math Tutor")).to_be_visible()
    assert list_threads(client).data == []
