import pytest
from openai import NotFoundError, OpenAI

from tests.contract.comparison import RECORDED, differences
from tests.servers import ThreadServer


def test_a_new_thread_has_the_recorded_fields_and_defaults(client: OpenAI) -> None:
    thread = client.beta.threads.create()

    assert differences(thread, RECORDED["thread"]) == []


@pytest.mark.parametrize("content", [None, b"", b"null", b"{}"])
def test_a_thread_is_created_with_any_kind_of_empty_body(
    server: ThreadServer, content: bytes | None
) -> None:
    with server.http() as http:
        answer = http.post("threads", content=content)

    assert answer.status_code == 200
    assert answer.json()["object"] == "thread"


def test_nulls_in_a_new_thread_mean_the_defaults(server: ThreadServer) -> None:
    with server.http() as http:
        body = {"messages": None, "metadata": None, "tool_resources": None}
        answer = http.post("threads", json=body)

    assert answer.status_code == 200
    assert (answer.json()["metadata"], answer.json()["tool_resources"]) == ({}, {})


def test_a_thread_is_created_with_messages_in_their_order(client: OpenAI) -> None:
    thread = client.beta.threads.create(
        messages=[
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "second"},
            {"role": "user", "content": [{"type": "text", "text": "third"}]},
        ],
        metadata={"topic": "order"},
        tool_resources={"code_interpreter": {"file_ids": ["file-1"]}},
    )

    messages = client.beta.threads.messages.list(thread.id, order="asc").data
    assert [message.role for message in messages] == ["user", "assistant", "user"]
    assert [message.content[0].to_dict()["text"]["value"] for message in messages] == [  # type: ignore[index]
        "first",
        "second",
        "third",
    ]
    assert thread.metadata == {"topic": "order"}
    assert client.beta.threads.retrieve(thread.id) == thread


def test_an_invalid_message_leaves_no_thread_behind(server: ThreadServer) -> None:
    with server.http() as http:
        before = http.get("threads?limit=1").json()["first_id"]
        answer = http.post("threads", json={"messages": [{"role": "user", "content": ""}]})

        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "messages[0].content"
        assert http.get("threads?limit=1").json()["first_id"] == before


def test_a_thread_is_modified(client: OpenAI) -> None:
    store_id = client.vector_stores.create().id
    thread = client.beta.threads.create(
        tool_resources={"code_interpreter": {"file_ids": ["file-1"]}}
    )

    updated = client.beta.threads.update(
        thread.id,
        metadata={"title": "Algebra"},
        tool_resources={"file_search": {"vector_store_ids": [store_id]}},
    )

    assert updated.metadata == {"title": "Algebra"}
    assert updated.to_dict()["tool_resources"] == {
        "code_interpreter": {"file_ids": ["file-1"]},
        "file_search": {"vector_store_ids": [store_id]},
    }


def test_deleting_a_thread_deletes_its_messages(client: OpenAI) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
    message = client.beta.threads.messages.list(thread.id).data[0]

    deleted = client.beta.threads.delete(thread.id)

    assert deleted.to_dict() == {"id": thread.id, "object": "thread.deleted", "deleted": True}
    with pytest.raises(NotFoundError, match=rf"No thread found with id '{thread.id}'\."):
        client.beta.threads.messages.list(thread.id)
    with pytest.raises(NotFoundError):
        client.beta.threads.messages.retrieve(message.id, thread_id=thread.id)


@pytest.mark.parametrize("call", ["retrieve", "update", "delete"])
def test_an_unknown_thread_is_answered_in_the_hosted_words(client: OpenAI, call: str) -> None:
    with pytest.raises(NotFoundError, match=r"No thread found with id 'thread_unknown'\."):
        getattr(client.beta.threads, call)("thread_unknown")


def test_threads_are_listed_with_the_beginning_of_what_was_asked(
    server: ThreadServer, client: OpenAI
) -> None:
    asked = "I need to solve the equation `3x + 11 = 14`. Can you help me? " * 3
    thread = client.beta.threads.create(messages=[{"role": "user", "content": asked}])

    with server.http() as http:
        listed = http.get("threads").json()["data"][0]

    assert listed["id"] == thread.id
    assert listed["title"].startswith("I need to solve") and listed["title"].endswith("…")
    assert len(listed["title"]) <= 80
    assert listed["last_active_at"] >= thread.created_at
