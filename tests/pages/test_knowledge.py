from pathlib import Path

from openai import OpenAI

from lib.dashboard.studio_api import list_store_files
from tests.pages.conftest import OpenPage
from tests.pages.elements import button, words
from tests.tools.file_search import documents


def fill(client: OpenAI, store_id: str, name: str, text: str) -> None:
    client.vector_stores.files.upload_and_poll(vector_store_id=store_id, file=(name, text.encode()))


def test_an_empty_studio_offers_a_first_store(open_page: OpenPage) -> None:
    page = open_page("knowledge")

    button(page, "Create a store").click().run()

    assert not page.exception
    assert page.text_input[0].label == "Name"
    assert button(page, "Create store")


def test_files_are_shown_with_their_state_and_reason(open_page: OpenPage, client: OpenAI) -> None:
    store = client.vector_stores.create(name="Animals")
    fill(client, store.id, "cats.md", "Cats sleep.")
    fill(client, store.id, "setup.exe", "MZ")

    page = open_page("knowledge", store=store.id)

    assert not page.exception
    table = page.dataframe[0].value
    assert list(table["File"]) == ["setup.exe", "cats.md"]
    assert table["State"][0].startswith("Files ending in .exe cannot be searched")
    assert table["State"][1] == "Searchable by keywords"
    assert "2 files · 1 failed" in words(page)


def test_uploaded_files_become_searchable(open_page: OpenPage, client: OpenAI) -> None:
    store = client.vector_stores.create(name="Animals")
    page = open_page("knowledge", store=store.id)

    page.file_uploader[0].set_value(
        [("cats.txt", b"Cats sleep.", "text/plain"), ("dogs.txt", b"Dogs run.", "text/plain")]
    )
    button(page, "Put into the store").click().run()

    assert not page.exception
    names = {file.filename for file in list_store_files(client, store.id, 10)}
    assert names == {"cats.txt", "dogs.txt"}


def test_a_search_shows_the_passages_with_the_words_marked(
    open_page: OpenPage, client: OpenAI
) -> None:
    store = client.vector_stores.create(name="Animals")
    fill(client, store.id, "cats.md", "Cats *sleep* sixteen hours.")
    page = open_page("knowledge", store=store.id)

    page.text_input[0].set_value("how long do cats sleep?").run()

    assert not page.exception
    assert r":orange-background[Cats] \*:orange-background[sleep]\* sixteen" in words(page)
    assert "no. 1 by keywords" in words(page)


def test_a_hit_in_a_pdf_opens_its_page(open_page: OpenPage, client: OpenAI, tmp_path: Path) -> None:
    store = client.vector_stores.create(name="Papers")
    paper = documents.pdf(tmp_path / "paper.pdf", ["Preface.", "Cats sleep sixteen hours."])
    client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=paper)
    page = open_page("knowledge", store=store.id)

    page.text_input[0].set_value("sixteen hours of sleep").run()

    assert not page.exception
    labels = [expander.label for expander in page.expander]
    assert labels == ["The whole passage", "Page 2 of the file"]


def test_a_store_is_linked_to_an_assistant_in_one_click(
    open_page: OpenPage, client: OpenAI
) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o-mini", name="Poet")
    store = client.vector_stores.create(name="Poems")
    page = open_page("knowledge", store=store.id)

    page.multiselect[0].set_value([assistant.id]).run()

    linked = client.beta.assistants.retrieve(assistant.id)
    assert not page.exception
    assert [tool.type for tool in linked.tools] == ["file_search"]
    assert linked.tool_resources is not None
    assert linked.tool_resources.file_search is not None
    assert linked.tool_resources.file_search.vector_store_ids == [store.id]


def test_deleting_a_store_asks_first(open_page: OpenPage, client: OpenAI) -> None:
    store = client.vector_stores.create(name="Poems")
    page = open_page("knowledge", store=store.id)

    button(page, "Delete").click().run()

    assert "**Poems** will be gone for good" in words(page)
    assert client.vector_stores.retrieve(store.id).name == "Poems"


def test_several_stores_are_deleted_at_once_and_their_files_stay(
    open_page: OpenPage, client: OpenAI
) -> None:
    names = ("Poems", "Novels", "Plays")
    poems, novels, plays = [client.vector_stores.create(name=name) for name in names]
    fill(client, poems.id, "rose.txt", "A rose is a rose.")
    page = open_page("knowledge", store=poems.id)

    page.checkbox(key=f"choose_{poems.id}").check().run()
    page.checkbox(key=f"choose_{plays.id}").check().run()
    button(page, "Delete 2 stores").click().run()
    asked = words(page)
    page.button(key="delete_for_good").click().run()

    assert not page.exception
    assert "**Plays** and **Poems** will be gone for good" in asked
    assert [store.id for store in client.vector_stores.list()] == [novels.id]
    assert [file.filename for file in client.files.list()] == ["rose.txt"]
    assert "2 stores were deleted." in [message.value for message in page.toast]


def test_all_stores_are_chosen_with_one_click_and_none_with_another(
    open_page: OpenPage, client: OpenAI
) -> None:
    for name in ("Poems", "Novels"):
        client.vector_stores.create(name=name)
    page = open_page("knowledge")
    assert button(page, "Delete the chosen stores").disabled

    button(page, "Choose all").click().run()
    chosen = [box.value for box in page.checkbox]
    button(page, "Choose none").click().run()

    assert not page.exception
    assert chosen == [True, True]
    assert [box.value for box in page.checkbox] == [False, False]


def test_a_store_that_somebody_else_deleted_meanwhile_is_no_problem(
    open_page: OpenPage, client: OpenAI
) -> None:
    poems = client.vector_stores.create(name="Poems")
    client.vector_stores.create(name="Novels")
    page = open_page("knowledge")
    button(page, "Choose all").click().run()
    button(page, "Delete 2 stores").click().run()
    client.vector_stores.delete(poems.id)

    page.button(key="delete_for_good").click().run()

    assert not page.exception
    assert not page.error
    assert client.vector_stores.list().data == []
