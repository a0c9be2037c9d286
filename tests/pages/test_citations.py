"""The numbered chips under an answer, and what they open."""

from pathlib import Path

import pytest
from openai import OpenAI
from streamlit.testing.v1 import AppTest

from tests.doubles.model_endpoint import ModelEndpoint
from tests.pages.conftest import OpenPage
from tests.pages.elements import button, words
from tests.tools.file_search import documents

TEXT = "The harbour opens at nine. Boats pay a fee of five crowns."


@pytest.fixture
def store_id(client: OpenAI) -> str:
    return client.vector_stores.create(name="Handbooks").id


def put(client: OpenAI, store_id: str, path: Path) -> str:
    file = client.vector_stores.files.upload_and_poll(vector_store_id=store_id, file=path)
    assert file.status == "completed"
    return file.id


def answered(client: OpenAI, endpoint: ModelEndpoint, store_id: str, filename: str) -> str:
    """A thread whose answer cites the file."""
    assistant = client.beta.assistants.create(
        model="gpt-4o-mini",
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store_id]}},
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "When?"}])
    endpoint.will_call(("file_search", {"query": "harbour opens at nine"}))
    endpoint.will_answer(f"The harbour opens at nine【0:0†{filename}】.")
    client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    return thread.id


def drawn_pages(page: AppTest) -> list[str]:
    return [one.alt for images in page.image for one in images.proto.imgs]


def passages(page: AppTest) -> str:
    return "".join(element.proto.body for element in page.get("html"))


def test_a_chip_opens_the_page_of_a_pdf(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint, store_id: str, tmp_path: Path
) -> None:
    put(client, store_id, documents.pdf(tmp_path / "paper.pdf", ["Preface.", TEXT]))
    page = open_page("chat", thread=answered(client, endpoint, store_id, "paper.pdf"))
    assert drawn_pages(page) == []

    button(page, ":blue-badge[1] paper.pdf").click().run()

    assert not page.exception
    assert drawn_pages(page) == ["Page 2"]
    assert "> The harbour opens at nine." in words(page)
    assert "Page 2." in words(page).splitlines()


def test_a_chip_opens_what_stands_around_a_quote_of_a_text(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint, store_id: str, tmp_path: Path
) -> None:
    path = tmp_path / "handbook.md"
    path.write_text(f"# Rules\n\n{TEXT}")
    put(client, store_id, path)
    page = open_page("chat", thread=answered(client, endpoint, store_id, "handbook.md"))

    button(page, ":blue-badge[1] handbook.md").click().run()

    assert not page.exception
    assert "# Rules\n\n<mark" in passages(page)
    assert ">The harbour opens at nine.</mark> Boats pay" in passages(page)


def test_a_deleted_file_leaves_its_quote(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint, store_id: str, tmp_path: Path
) -> None:
    file_id = put(client, store_id, documents.pdf(tmp_path / "paper.pdf", ["Preface.", TEXT]))
    thread_id = answered(client, endpoint, store_id, "paper.pdf")
    client.files.delete(file_id)
    page = open_page("chat", thread=thread_id)

    button(page, ":blue-badge[1] paper.pdf").click().run()

    assert not page.exception
    assert drawn_pages(page) == []
    assert "> The harbour opens at nine." in words(page)
    assert "The file was deleted since." in words(page)
