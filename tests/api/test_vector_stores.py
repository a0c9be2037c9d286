"""Vector stores by the official SDK."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types import VectorStore
from openai.types.vector_stores import VectorStoreFile

from lib.tools.file_search.parsing.document import ParsedDocument
from lib.tools.file_search.parsing.parser import Parser
from tests.contract.comparison import inexact_fields
from tests.servers import ThreadServer

WITHIN = 60.0


@pytest.fixture
def store(client: OpenAI) -> VectorStore:
    return client.vector_stores.create(name="Animals")


def put(
    client: OpenAI, store: VectorStore, name: str, text: str, **more: object
) -> VectorStoreFile:
    """A file in the store, searchable or failed."""
    return client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id,
        file=(name, text.encode()),
        max_wait_seconds=WITHIN,
        **more,  # type: ignore[arg-type]
    )


def upload(client: OpenAI, name: str = "cats.md", text: str = "Cats sleep a lot.") -> str:
    return client.files.create(file=(name, text.encode()), purpose="assistants").id


def test_a_store_is_made_changed_listed_and_deleted(client: OpenAI) -> None:
    made = client.vector_stores.create(name="Animals", metadata={"team": "zoo"})
    changed = client.vector_stores.update(
        made.id, name="Beasts", expires_after={"anchor": "last_active_at", "days": 2}
    )
    listed = client.vector_stores.list(limit=1).data

    assert (made.status, made.usage_bytes, made.expires_at) == ("completed", 0, None)
    assert made.file_counts.total == 0
    assert inexact_fields(made) == []
    assert changed.name == "Beasts"
    assert changed.metadata == {"team": "zoo"}
    assert changed.last_active_at is not None
    assert changed.expires_at == changed.last_active_at + 2 * 24 * 3600
    assert [each.id for each in listed] == [made.id]
    assert client.vector_stores.delete(made.id).deleted
    with pytest.raises(NotFoundError, match="No vector store found with id"):
        client.vector_stores.retrieve(made.id)


def test_a_file_becomes_searchable(client: OpenAI, store: VectorStore) -> None:
    file = put(
        client, store, "cats.md", "Cats sleep sixteen hours.", attributes={"kind": "pet", "age": 3}
    )

    results = client.vector_stores.search(store.id, query="how long do cats sleep?").data
    counted = client.vector_stores.retrieve(store.id)

    assert file.status == "completed"
    assert inexact_fields(file) == []
    assert file.usage_bytes > 0
    assert file.chunking_strategy is not None
    assert file.chunking_strategy.to_dict() == {
        "type": "static",
        "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
    }
    assert [(each.filename, each.file_id) for each in results] == [("cats.md", file.id)]
    assert results[0].content[0].text == "Cats sleep sixteen hours."
    assert results[0].attributes == {"kind": "pet", "age": 3}
    assert 0 < results[0].score <= 1
    assert (counted.file_counts.completed, counted.file_counts.total) == (1, 1)
    assert counted.usage_bytes == file.usage_bytes


def test_a_file_that_cannot_be_read_says_why(client: OpenAI, store: VectorStore) -> None:
    program = put(client, store, "setup.exe", "MZ")
    broken = put(client, store, "report.pdf", "not a pdf")

    assert program.status == broken.status == "failed"
    assert program.last_error is not None
    assert broken.last_error is not None
    assert program.last_error.code == "unsupported_file"
    assert "Files ending in .exe cannot be searched" in program.last_error.message
    assert broken.last_error.code == "invalid_file"
    assert client.vector_stores.retrieve(store.id).file_counts.failed == 2


def test_attributes_filter_what_a_search_finds(client: OpenAI, store: VectorStore) -> None:
    old = put(client, store, "old.txt", "The fee is five.", attributes={"year": 2020})
    new = put(client, store, "new.txt", "The fee is nine.", attributes={"year": 2024})
    client.vector_stores.files.update(old.id, vector_store_id=store.id, attributes={"year": 2025})

    def found(kind: str, value: int) -> list[str]:
        filters = {"type": kind, "key": "year", "value": value}
        page = client.vector_stores.search(
            store.id,
            query="fee",
            filters=filters,  # type: ignore[arg-type]
        )
        return [result.file_id for result in page.data]

    assert found("eq", 2025) == [old.id]
    assert found("lt", 2025) == [new.id]
    with pytest.raises(BadRequestError, match="Invalid 'filters'"):
        found("like", 1)


def test_a_search_takes_several_queries_and_limits(client: OpenAI, store: VectorStore) -> None:
    for word in ("apples", "pears", "plums"):
        put(client, store, f"{word}.txt", f"All about {word}.")

    both = client.vector_stores.search(store.id, query=["apples", "plums"]).data
    one = client.vector_stores.search(store.id, query="all about", max_num_results=1).data
    none = client.vector_stores.search(store.id, query="rockets").data

    assert {result.filename for result in both} == {"apples.txt", "plums.txt"}
    assert len(one) == 1
    assert none == []


def test_the_text_of_a_file_can_be_read_back(client: OpenAI, store: VectorStore) -> None:
    words = " ".join(f"word{number}" for number in range(2000))
    chunking = {
        "type": "static",
        "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50},
    }

    file = put(client, store, "words.txt", words, chunking_strategy=chunking)

    content = client.vector_stores.files.content(file.id, vector_store_id=store.id)
    assert [part.text for part in content] == [words]


def test_a_batch_ends_whatever_is_in_it(client: OpenAI, store: VectorStore) -> None:
    good = [upload(client, f"good{number}.txt", f"Topic {number}.") for number in range(3)]
    bad = upload(client, "bad.bin", "?")

    batch = client.vector_stores.file_batches.create_and_poll(store.id, file_ids=[*good, bad])

    files = client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id)
    failed = client.vector_stores.files.list(store.id, filter="failed")
    assert batch.status == "completed"
    assert inexact_fields(batch) == []
    assert (batch.file_counts.completed, batch.file_counts.failed) == (3, 1)
    assert {file.id for file in files} == {*good, bad}
    assert [file.id for file in failed] == [bad]


def test_a_batch_gives_each_file_its_own_settings(client: OpenAI, store: VectorStore) -> None:
    one, other = upload(client, "one.txt"), upload(client, "other.txt")

    client.vector_stores.file_batches.create(
        store.id, files=[{"file_id": one, "attributes": {"a": True}}, {"file_id": other}]
    )

    files = {file.id: file for file in client.vector_stores.files.list(store.id)}
    assert files[one].attributes == {"a": True}
    assert files[other].attributes == {}


def test_a_cancelled_batch_leaves_no_file_in_progress(client: OpenAI, store: VectorStore) -> None:
    ids = [upload(client, f"file{number}.txt", f"Text {number}.") for number in range(30)]
    batch = client.vector_stores.file_batches.create(store.id, file_ids=ids)

    cancelled = client.vector_stores.file_batches.cancel(batch.id, vector_store_id=store.id)

    counts = cancelled.file_counts
    assert cancelled.status == "cancelled"
    assert counts.in_progress == 0
    assert counts.cancelled > 0
    assert counts.completed + counts.cancelled == 30
    after = client.vector_stores.search(store.id, query="text", max_num_results=50).data
    assert len(after) == counts.completed


def test_a_file_in_a_store_already_is_put_in_anew(client: OpenAI, store: VectorStore) -> None:
    file = put(client, store, "cats.txt", "Cats sleep.")

    again = client.vector_stores.files.create_and_poll(
        file.id, vector_store_id=store.id, attributes={"seen": "twice"}, max_wait_seconds=WITHIN
    )

    assert again.status == "completed"
    assert client.vector_stores.retrieve(store.id).file_counts.total == 1
    results = client.vector_stores.search(store.id, query="cats").data
    assert [result.attributes for result in results] == [{"seen": "twice"}]


def test_a_file_taken_out_of_a_store_is_not_found_there(client: OpenAI, store: VectorStore) -> None:
    other = client.vector_stores.create(name="Other")
    file = put(client, store, "cats.txt", "Cats sleep.")
    client.vector_stores.files.create_and_poll(
        file.id, vector_store_id=other.id, max_wait_seconds=WITHIN
    )

    client.vector_stores.files.delete(file.id, vector_store_id=store.id)

    assert client.vector_stores.search(store.id, query="cats").data == []
    assert len(client.vector_stores.search(other.id, query="cats").data) == 1
    assert client.files.retrieve(file.id).id == file.id
    with pytest.raises(NotFoundError, match="No file found with id"):
        client.vector_stores.files.retrieve(file.id, vector_store_id=store.id)


def test_a_deleted_file_leaves_every_store_assistant_and_thread(
    client: OpenAI, store: VectorStore
) -> None:
    file = put(client, store, "cats.txt", "Cats sleep.")
    code: Any = {"code_interpreter": {"file_ids": [file.id]}}
    assistant = client.beta.assistants.create(model="gpt-4o", tool_resources=code)
    thread = client.beta.threads.create(tool_resources=code)

    client.files.delete(file.id)

    assert client.vector_stores.retrieve(store.id).file_counts.total == 0
    assert client.vector_stores.search(store.id, query="cats").data == []
    for owner in (
        client.beta.assistants.retrieve(assistant.id),
        client.beta.threads.retrieve(thread.id),
    ):
        assert owner.tool_resources is not None
        assert owner.tool_resources.code_interpreter is not None
        assert owner.tool_resources.code_interpreter.file_ids == []


def test_a_deleted_store_is_unlinked_from_assistants_and_threads(
    client: OpenAI, store: VectorStore
) -> None:
    linked: Any = {"file_search": {"vector_store_ids": [store.id]}}
    assistant = client.beta.assistants.create(
        model="gpt-4o", tools=[{"type": "file_search"}], tool_resources=linked
    )
    thread = client.beta.threads.create(tool_resources=linked)

    client.vector_stores.delete(store.id)

    for owner in (
        client.beta.assistants.retrieve(assistant.id),
        client.beta.threads.retrieve(thread.id),
    ):
        assert owner.tool_resources is not None
        assert owner.tool_resources.file_search is not None
        assert owner.tool_resources.file_search.vector_store_ids == []


def test_an_assistant_makes_its_own_store(client: OpenAI) -> None:
    file_id = upload(client)

    assistant = client.beta.assistants.create(
        model="gpt-4o",
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_stores": [{"file_ids": [file_id]}]}},
    )

    assert assistant.tool_resources is not None
    assert assistant.tool_resources.file_search is not None
    (store_id,) = assistant.tool_resources.file_search.vector_store_ids or []
    made = client.vector_stores.retrieve(store_id)
    assert made.file_counts.total == 1
    assert made.expires_after is None


def test_an_attachment_makes_the_threads_store_and_the_next_one_extends_it(client: OpenAI) -> None:
    search: list[dict[str, str]] = [{"type": "file_search"}]
    first, second = upload(client, "one.txt"), upload(client, "two.txt")
    thread = client.beta.threads.create(
        messages=[
            {
                "role": "user",
                "content": "Read this.",
                "attachments": [{"file_id": first, "tools": search}],  # type: ignore[typeddict-item]
            }
        ]
    )

    client.beta.threads.messages.create(
        thread.id,
        role="user",
        content="And this.",
        attachments=[{"file_id": second, "tools": search}],  # type: ignore[typeddict-item]
    )

    found = client.beta.threads.retrieve(thread.id)
    assert found.tool_resources is not None
    assert found.tool_resources.file_search is not None
    (store_id,) = found.tool_resources.file_search.vector_store_ids or []
    store = client.vector_stores.retrieve(store_id)
    assert store.expires_after is not None
    assert store.expires_after.days == 7
    assert {file.id for file in client.vector_stores.files.list(store_id)} == {first, second}


def test_what_does_not_exist_is_refused_and_nothing_is_made(client: OpenAI) -> None:
    before = [store.id for store in client.vector_stores.list(limit=100)]

    with pytest.raises(NotFoundError, match="No file found with id 'file-none'"):
        client.vector_stores.create(file_ids=["file-none"])
    with pytest.raises(NotFoundError, match="No vector store found with id 'vs_none'"):
        client.beta.assistants.create(
            model="gpt-4o", tool_resources={"file_search": {"vector_store_ids": ["vs_none"]}}
        )
    with pytest.raises(NotFoundError, match="No file found with id 'file-none'"):
        client.beta.threads.create(
            messages=[
                {
                    "role": "user",
                    "content": "Hi",
                    "attachments": [{"file_id": "file-none", "tools": [{"type": "file_search"}]}],
                }
            ]
        )

    assert [store.id for store in client.vector_stores.list(limit=100)] == before


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("", {"expires_after": {"anchor": "last_active_at", "days": 366}}, "expires_after.days"),
        ("", {"expires_after": {"anchor": "created_at", "days": 1}}, "expires_after.anchor"),
        ("", {"metadata": {"key": 1}}, "metadata.key"),
        ("/{id}/files", {}, "file_id"),
        ("/{id}/files", {"file_id": "f", "attributes": {"k": "v" * 513}}, "attributes.k"),
        (
            "/{id}/files",
            {
                "file_id": "f",
                "chunking_strategy": {
                    "type": "static",
                    "static": {"max_chunk_size_tokens": 99, "chunk_overlap_tokens": 0},
                },
            },
            "chunking_strategy.static.max_chunk_size_tokens",
        ),
        (
            "/{id}/files",
            {
                "file_id": "f",
                "chunking_strategy": {
                    "type": "static",
                    "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 101},
                },
            },
            "chunking_strategy.static",
        ),
        ("/{id}/search", {"query": "x", "max_num_results": 51}, "max_num_results"),
        ("/{id}/search", {"query": ""}, "query"),
        ("/{id}/search", {"query": "x", "filters": {"type": "and", "filters": []}}, "filters"),
    ],
)
def test_values_outside_the_published_limits_are_refused(
    server: ThreadServer, store: VectorStore, path: str, body: dict[str, object], param: str
) -> None:
    with server.http() as http:
        answer = http.post("vector_stores" + path.format(id=store.id), json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_batch_needs_ids_or_files(server: ThreadServer, store: VectorStore) -> None:
    with server.http() as http:
        answer = http.post(f"vector_stores/{store.id}/file_batches", json={})

    assert answer.status_code == 400
    assert "set either 'file_ids' or 'files'" in answer.json()["error"]["message"]


def test_progress_names_each_file_and_what_the_index_holds(
    server: ThreadServer, client: OpenAI, store: VectorStore
) -> None:
    put(client, store, "cats.txt", "Cats sleep.")

    with server.http() as http:
        (shown,) = http.get(f"vector_stores/{store.id}/progress").json()["data"]

    assert (shown["filename"], shown["bytes"], shown["chunk_count"]) == ("cats.txt", 11, 1)
    assert (shown["status"], shown["progress"], shown["is_embedded"]) == ("completed", None, False)


def test_a_store_that_has_expired_can_be_looked_at_but_not_searched(
    client: OpenAI, server: ThreadServer, store: VectorStore
) -> None:
    put(client, store, "cats.txt", "Cats sleep.")
    expire(server, store.id)

    shown = client.vector_stores.retrieve(store.id)

    assert shown.status == "expired"
    with pytest.raises(BadRequestError, match="is expired"):
        client.vector_stores.search(store.id, query="cats")
    with pytest.raises(BadRequestError, match="is expired"):
        client.vector_stores.files.create(store.id, file_id=upload(client))


def expire(server: ThreadServer, store_id: str) -> None:
    """Let the store's last use be long ago."""
    assert server.studio is not None
    path = server.studio.settings.database.removeprefix("sqlite:///")
    with sqlite3.connect(path) as database:
        database.execute(
            "UPDATE vector_stores SET expires_at = 1, last_active_at = 1 WHERE id = ?", (store_id,)
        )
    database.close()


class HeldUpParser:
    """The real parser, whose first file is read to the end only when the test says so."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.may_end = threading.Event()
        self._parse = Parser.parse_file

    async def __call__(self, path: Path, filename: str) -> ParsedDocument:
        parser = Parser()
        document = await self._parse(parser, path, filename)
        await parser.close()
        if not self.began.is_set():
            self.began.set()
            await asyncio.to_thread(self.may_end.wait, WITHIN)
        return document


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldUpParser]:
    parser = HeldUpParser()
    monkeypatch.setattr(Parser, "parse_file", parser)
    yield parser
    parser.may_end.set()


@pytest.mark.parametrize("as_batch", [False, True])
def test_a_file_put_in_anew_while_it_is_read_is_cut_the_newest_way_and_completed_once(
    client: OpenAI, store: VectorStore, held_up: HeldUpParser, as_batch: bool
) -> None:
    text = " ".join(f"word{number}" for number in range(2000))
    file_id = upload(client, f"words-{as_batch}.txt", text)
    client.vector_stores.files.create(store.id, file_id=file_id)
    assert held_up.began.wait(WITHIN)
    finer: Any = {
        "type": "static",
        "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0},
    }

    if as_batch:
        client.vector_stores.file_batches.create(
            store.id, file_ids=[file_id], chunking_strategy=finer
        )
    else:
        client.vector_stores.files.create(store.id, file_id=file_id, chunking_strategy=finer)
    file = client.vector_stores.files.poll(
        file_id, vector_store_id=store.id, max_wait_seconds=WITHIN
    )
    # What was begun first comes to its end last.
    held_up.may_end.set()
    put(client, store, f"after-{as_batch}.txt", "Something else.")

    found = client.vector_stores.search(store.id, query="word7 word1900", max_num_results=50).data
    counts = client.vector_stores.retrieve(store.id).file_counts
    assert file.status == "completed"
    assert file.chunking_strategy is not None
    assert file.chunking_strategy.to_dict() == finer
    assert len(found) == 2
    assert max(len(result.content[0].text) for result in found) < 500
    assert (counts.completed, counts.total) == (2, 2)
