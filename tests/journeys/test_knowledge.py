"""From a file on the reader's disk to a citation that can be checked."""

from pathlib import Path

import pytest
from openai import OpenAI
from playwright.sync_api import Page, expect

from tests.doubles.model_endpoint import ModelEndpoint
from tests.journeys.popups import choose

# A browser on a busy machine takes its time.
pytestmark = pytest.mark.timeout(400)

TEXT = "The harbour opens at nine. Boats pay a fee of five crowns."


def test_a_file_is_uploaded_searched_linked_and_cited(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint, tmp_path: Path
) -> None:
    handbook = tmp_path / "handbook.md"
    handbook.write_text(TEXT)
    client.beta.assistants.create(model="gpt-4o-mini", name="Harbour Master")

    page.goto(f"{studio}/knowledge")
    page.get_by_role("button", name="Create a store").click()
    page.get_by_label("Name").fill("Handbooks")
    page.get_by_role("button", name="Create store").click()
    expect(page.get_by_role("heading", name="Handbooks").first).to_be_visible()
    page.locator("input[type=file]").set_input_files(str(handbook))
    page.get_by_role("button", name="Put into the store").click()
    expect(page.get_by_text("1 file ·").first).to_be_visible()

    page.get_by_label("Try a search").fill("when does the harbour open?")
    page.get_by_label("Try a search").press("Enter")
    expect(page.get_by_text("no. 1 by keywords")).to_be_visible()
    assistants = page.get_by_role("combobox", name="Assistants that search this store")
    choose(assistants, page.get_by_role("option", name="Harbour Master"))
    expect(page.get_by_text("Harbour Master").first).to_be_visible()

    endpoint.will_call(("file_search", {"query": "harbour opens"}))
    endpoint.will_answer("It opens at nine【0:0†handbook.md】.")
    page.goto(f"{studio}/chat")
    question = page.get_by_test_id("stChatInputTextArea")
    question.fill("When does the harbour open?")
    question.press("Enter")
    answer = page.get_by_test_id("stChatMessage").last
    expect(answer).to_contain_text("It opens at nine")
    answer.get_by_role("button", name="handbook.md").click()

    expect(page.get_by_text("The harbour opens at nine.").last).to_be_visible()
    expect(page.get_by_role("button", name="Download the file")).to_be_visible()
    assert "【" not in answer.inner_text()
    page.keyboard.press("Escape")
    answer.get_by_role("button", name="Searched 1 file").click()
    expect(page.get_by_text("handbook.md · score")).to_be_visible()
