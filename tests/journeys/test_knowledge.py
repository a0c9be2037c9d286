"""From a file on the reader's disk to a citation that can be checked."""

from pathlib import Path

import pytest
from openai import OpenAI
from openai.types.beta.threads import Run
from playwright.sync_api import Page, expect

from tests.doubles.model_endpoint import ModelEndpoint
from tests.journeys.interaction import choose, settle
from tests.tools.file_search import documents

# A browser on a busy machine takes its time.
pytestmark = pytest.mark.timeout(400)

WAIT_FOR_IMAGE = "image => image.decode().then(() => true)"
YELLOW_DOTS = """image => {
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const drawing = canvas.getContext("2d");
    drawing.drawImage(image, 0, 0);
    const dots = drawing.getImageData(0, 0, canvas.width, canvas.height).data;
    let yellow = 0;
    for (let at = 0; at < dots.length; at += 4)
        yellow += dots[at] > 200 && dots[at + 2] < 150;
    return yellow;
}"""
TEXT = "The harbour opens at nine. Boats pay a fee of five crowns."


def answer_that_cites_a_paper(client: OpenAI, endpoint: ModelEndpoint, folder: Path) -> Run:
    """A completed run; the second page of paper.pdf is its source."""
    paper = documents.pdf(folder / "paper.pdf", ["Preface.", TEXT])
    store = client.vector_stores.create(name="Papers")
    client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=paper)
    assistant = client.beta.assistants.create(
        model="gpt-4o-mini",
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "When?"}])
    endpoint.will_call(("file_search", {"query": "harbour opens"}))
    endpoint.will_answer("It opens at nine【0:0†paper.pdf】.")
    return client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)


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
    [store] = client.vector_stores.list().data
    [file] = client.vector_stores.files.list(store.id).data
    client.vector_stores.files.poll(file.id, vector_store_id=store.id)

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

    source = page.get_by_role("dialog", name="handbook.md")
    expect(source.locator("mark")).to_have_text("The harbour opens at nine.")
    expect(source).to_contain_text("Boats pay a fee of five crowns.")
    expect(source.get_by_role("button", name="Download the file")).to_be_visible()
    assert "【" not in answer.inner_text()
    page.keyboard.press("Escape")
    answer.get_by_role("button", name="Searched 1 file").click()
    expect(page.get_by_text("handbook.md · score")).to_be_visible()


def test_a_citation_of_a_pdf_opens_its_page_with_the_quote_highlighted(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint, tmp_path: Path
) -> None:
    answered = answer_that_cites_a_paper(client, endpoint, tmp_path)

    page.goto(f"{studio}/chat?thread={answered.thread_id}")
    page.get_by_role("button", name="paper.pdf").click()

    drawn = page.get_by_role("dialog", name="paper.pdf").get_by_alt_text("Page 2")
    expect(drawn).to_be_visible()
    assert drawn.evaluate(WAIT_FOR_IMAGE)
    assert drawn.evaluate(YELLOW_DOTS) > 1000
    assert drawn.bounding_box()["width"] > 500  # type: ignore[index]


def test_an_open_source_stays_open_when_the_next_answer_ends(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint, tmp_path: Path
) -> None:
    answered = answer_that_cites_a_paper(client, endpoint, tmp_path)
    thread_id = answered.thread_id
    client.beta.threads.messages.create(thread_id, role="user", content="And then?")
    endpoint.will_answer("Then the boats come in, one after the other.", token_delay=0.5)
    run = client.beta.threads.runs.create(thread_id, assistant_id=answered.assistant_id)
    page.goto(f"{studio}/chat?thread={thread_id}")
    expect(page.get_by_text("Then the boats")).to_be_visible()

    page.get_by_role("button", name="paper.pdf").click()
    source = page.get_by_role("dialog", name="paper.pdf")
    expect(source).to_be_visible()
    client.beta.threads.runs.poll(run.id, thread_id=thread_id)
    settle(page)
    expect(source).to_be_visible()

    page.keyboard.press("Escape")
    expect(page.get_by_text("one after the other.")).to_be_visible()
    expect(page.get_by_test_id("stChatInputTextArea")).to_be_enabled()


def test_several_stores_are_chosen_and_deleted_at_once(
    page: Page, studio: str, client: OpenAI
) -> None:
    for name in ("Poems", "Novels", "Plays"):
        client.vector_stores.create(name=name)

    page.goto(f"{studio}/knowledge")
    expect(page.get_by_text("Plays").first).to_be_visible()
    settle(page)
    for name in ("Poems", "Plays"):
        page.locator("label", has_text=f"Choose {name}").click()
        expect(page.get_by_role("checkbox", name=f"Choose {name}")).to_be_checked()
    page.get_by_role("button", name="Delete 2 stores").click()
    question = page.get_by_role("dialog", name="Delete for good?")
    expect(question).to_contain_text("Plays and Poems will be gone for good")
    question.get_by_role("button", name="Delete", exact=True).click()

    expect(page.get_by_text("2 stores were deleted.")).to_be_visible()
    expect(question).to_be_hidden()
    assert [store.name for store in client.vector_stores.list()] == ["Novels"]
