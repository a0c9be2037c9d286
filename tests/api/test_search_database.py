"""Vector stores by the official SDK, with the search index in Postgres."""

import time

import pytest
from openai import InternalServerError, OpenAI

from tests.api.test_vector_stores import WITHIN, put
from tests.conftest import StartServer
from tests.postgres import PASSWORD, PostgresServer


def found(client: OpenAI, store_id: str, query: str) -> list[str]:
    return [each.filename for each in client.vector_stores.search(store_id, query=query).data]


def test_files_are_ingested_searched_filtered_and_forgotten(
    start_server: StartServer, postgres_url: str
) -> None:
    client = start_server(search_database_url=postgres_url).client()
    store = client.vector_stores.create(name="Animals")

    cats = put(client, store, "cats.md", "Cats sleep sixteen hours.", attributes={"legs": 4})
    put(client, store, "birds.md", "Birds sleep on one leg.", attributes={"legs": 2})
    results = client.vector_stores.search(
        store.id,
        query="who will sleep?",
        filters={"type": "gt", "key": "legs", "value": 2},
    ).data

    assert cats.status == "completed"
    assert [(each.filename, each.file_id) for each in results] == [("cats.md", cats.id)]
    assert results[0].content[0].text == "Cats sleep sixteen hours."
    assert sorted(found(client, store.id, "sleep")) == ["birds.md", "cats.md"]
    client.vector_stores.files.delete(cats.id, vector_store_id=store.id)
    assert found(client, store.id, "sleep") == ["birds.md"]


def test_each_index_has_what_changed_while_another_was_in_use(
    start_server: StartServer, postgres_url: str
) -> None:
    first = start_server(search_database_url=postgres_url)
    store = first.client().vector_stores.create()
    gone = put(first.client(), store, "gone.md", "An owl sleeps by day.")
    put(first.client(), store, "kept.md", "A hen sleeps by night.")
    first.__exit__(None, None, None)

    second = start_server()
    wait_until_found(second.client(), store.id, ["gone.md", "kept.md"])
    second.client().vector_stores.files.delete(gone.id, vector_store_id=store.id)
    put(second.client(), store, "new.md", "A swift sleeps in the air.")
    second.__exit__(None, None, None)

    third = start_server(search_database_url=postgres_url)
    wait_until_found(third.client(), store.id, ["kept.md", "new.md"])
    third.__exit__(None, None, None)

    # Nothing is made anew where nothing was missed.
    fourth = start_server(search_database_url=postgres_url)
    assert sorted(found(fourth.client(), store.id, "sleeps")) == ["kept.md", "new.md"]


def test_files_wait_while_the_database_is_away(
    start_server: StartServer, postgres: PostgresServer, postgres_url: str
) -> None:
    client = start_server(search_database_url=postgres_url).client().with_options(max_retries=0)
    store = client.vector_stores.create()

    with postgres.away(postgres_url):
        with pytest.raises(InternalServerError, match="SEARCH_DATABASE_URL does not answer"):
            client.vector_stores.search(store.id, query="hens")
        file = client.files.create(file=("hens.md", b"Hens sleep by night."), purpose="assistants")
        waiting = client.vector_stores.files.create(store.id, file_id=file.id)

    assert waiting.status == "in_progress"
    wait_until_found(client, store.id, ["hens.md"])


def test_the_password_of_the_database_is_not_shown(
    start_server: StartServer, postgres_url: str
) -> None:
    server = start_server(search_database_url=postgres_url)

    with server.http() as http:
        health = http.get("health")

    assert health.json()["settings"]["SEARCH_DATABASE_URL"] == "set"
    assert PASSWORD in postgres_url
    assert PASSWORD not in health.text


def wait_until_found(client: OpenAI, store_id: str, names: list[str]) -> None:
    deadline = time.monotonic() + WITHIN
    while sorted(found(client, store_id, "sleep sleeps")) != names:
        assert time.monotonic() < deadline
        time.sleep(0.05)
