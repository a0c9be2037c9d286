"""Pagination, the same for every list."""

import pytest
from openai import OpenAI
from openai.types.beta.threads import Message

from tests.conftest import StartServer
from tests.servers import ThreadServer

COUNT = 7


@pytest.fixture(scope="module")
def listed(shared_server: ThreadServer) -> list[tuple[str, str]]:
    """The thread's id and each message's, oldest first; no test may change them."""
    texts = [{"role": "user", "content": str(number)} for number in range(COUNT)]
    with shared_server.http() as http:
        thread_id = http.post("threads", json={"messages": texts}).json()["id"]
        messages = http.get(f"threads/{thread_id}/messages?order=asc").json()["data"]
    return [(thread_id, message["id"]) for message in messages]


@pytest.fixture
def messages(client: OpenAI, thread_id: str) -> list[Message]:
    """Oldest first."""
    return [
        client.beta.threads.messages.create(thread_id, role="user", content=str(number))
        for number in range(COUNT)
    ]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, COUNT, 100])
@pytest.mark.parametrize("after", [None, 0, 3, COUNT - 1])
@pytest.mark.parametrize("before", [None, 0, 4, COUNT - 1])
def test_every_combination_of_limit_order_after_and_before(
    server: ThreadServer,
    listed: list[tuple[str, str]],
    order: str,
    limit: int,
    after: int | None,
    before: int | None,
) -> None:
    ids = [message_id for _, message_id in listed]
    ordered = ids if order == "asc" else ids[::-1]
    start = 0 if after is None else ordered.index(ids[after]) + 1
    end = COUNT if before is None else ordered.index(ids[before])
    wanted = ordered[start:end]
    # Going backwards, the page next to the cursor is the one that is wanted.
    backwards = before is not None and after is None
    page = (wanted[-limit:] if backwards else wanted[:limit]) if wanted else []
    query = {"order": order, "limit": str(limit)}
    query |= {} if after is None else {"after": ids[after]}
    query |= {} if before is None else {"before": ids[before]}

    with server.http() as http:
        path = f"threads/{listed[0][0]}/messages"
        answer = http.get(path, params=query).json()

    assert [message["id"] for message in answer["data"]] == page
    assert answer["first_id"] == (page[0] if page else None)
    assert answer["last_id"] == (page[-1] if page else None)
    assert answer["has_more"] == (len(wanted) > limit)


def test_twenty_are_listed_unless_asked_otherwise(client: OpenAI) -> None:
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": str(number)} for number in range(25)]
    )

    page = client.beta.threads.messages.list(thread.id)

    assert len(page.data) == 20
    assert page.has_more


def test_the_sdk_walks_through_all_pages(client: OpenAI) -> None:
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": str(number)} for number in range(25)]
    )

    walked = list(client.beta.threads.messages.list(thread.id, limit=4, order="asc"))

    texts = [message.content[0].to_dict()["text"]["value"] for message in walked]  # type: ignore[index]
    assert texts == [str(number) for number in range(25)]


async def test_the_async_sdk_walks_through_all_pages(
    server: ThreadServer, messages: list[Message]
) -> None:
    async with server.async_client() as client:
        pages = client.beta.threads.messages.list(messages[0].thread_id, limit=2)
        walked = [message.id async for message in pages]

    assert walked == [message.id for message in reversed(messages)]


def test_what_is_added_meanwhile_does_not_shift_pages(
    client: OpenAI, messages: list[Message]
) -> None:
    thread_id = messages[0].thread_id
    first = client.beta.threads.messages.list(thread_id, limit=3)

    client.beta.threads.messages.create(thread_id, role="user", content="meanwhile")
    second = first.get_next_page()

    texts = [message.content[0].to_dict()["text"]["value"] for message in second.data]  # type: ignore[index]
    assert texts == ["3", "2", "1"]


def test_a_cursor_from_another_list_is_refused(
    server: ThreadServer, client: OpenAI, messages: list[Message]
) -> None:
    elsewhere = client.beta.threads.create(messages=[{"role": "user", "content": "elsewhere"}])

    with server.http() as http:
        answer = http.get(f"threads/{elsewhere.id}/messages?after={messages[0].id}")

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "after"


def test_an_empty_list_has_no_edges(start_server: StartServer) -> None:
    with start_server().http() as http:
        for path in ("assistants", "threads", "runs"):
            assert http.get(path).json() == {
                "object": "list",
                "data": [],
                "first_id": None,
                "last_id": None,
                "has_more": False,
            }


def test_assistants_are_listed_newest_first(client: OpenAI) -> None:
    older = client.beta.assistants.create(model="m")
    newer = client.beta.assistants.create(model="m")

    page = client.beta.assistants.list(limit=2)

    assert [assistant.id for assistant in page.data] == [newer.id, older.id]
