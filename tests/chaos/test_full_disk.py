"""The disk is full: a clear error, nothing lost, and everything works again after."""

from collections.abc import Callable
from typing import Any

import pytest
from openai import InternalServerError
from sqlalchemy import event

from tests.conftest import StartServer
from tests.doubles.model_endpoint import ModelEndpoint
from tests.servers import ThreadServer, run_events

SetRoom = Callable[[bool], None]


@pytest.fixture
def server(start_server: StartServer) -> ThreadServer:
    return start_server()


@pytest.fixture
def has_room(server: ThreadServer) -> SetRoom:
    """Say whether the database may grow: SQLite's own limit answers as a full disk does."""
    assert server.studio
    engine = server.studio.store._engine
    limits = {"pages": 2**30}

    @event.listens_for(engine, "begin")
    def limit(connection: Any) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {limits['pages']}")

    def set_room(room: bool) -> None:
        limits["pages"] = 2**30 if room else 1

    return set_room


def test_a_full_disk_is_told_and_nothing_is_lost(server: ThreadServer, has_room: SetRoom) -> None:
    client = server.client().with_options(max_retries=0)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "before"}])
    big = "x" * 200_000

    has_room(False)
    with pytest.raises(InternalServerError) as caught:
        client.beta.threads.messages.create(thread.id, role="user", content=big)
    kept = client.beta.threads.messages.list(thread.id).data
    has_room(True)
    client.beta.threads.messages.create(thread.id, role="user", content=big)

    assert caught.value.body == {
        "message": "The disk is full: nothing was changed. Free some space and try again.",
        "type": "server_error",
        "param": None,
        "code": "storage_error",
    }
    assert len(kept) == 1
    assert len(client.beta.threads.messages.list(thread.id).data) == 2


def test_a_run_on_a_full_disk_goes_on_when_there_is_room(
    server: ThreadServer, has_room: SetRoom, endpoint: ModelEndpoint
) -> None:
    words = " ".join(f"{number:0>50}" for number in range(400))
    endpoint.default_answer(words, token_delay=0.002)
    client = server.client()
    assistant = client.beta.assistants.create(model="gpt-4o-mini")
    run = client.beta.threads.create_and_run(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Talk."}]},
    )

    with run_events(server, run.thread_id, run.id) as events:
        for _, name, _ in events:
            if name == "thread.message.delta":
                break
    has_room(False)
    request = endpoint.requests[0]
    while not (request.finished or request.disconnected):
        pass
    status = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status
    has_room(True)
    run = client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=50)

    assert status == "in_progress"
    assert run.status == "completed"
    messages = client.beta.threads.messages.list(run.thread_id, order="asc").data
    assert [message.role for message in messages] == ["user", "assistant"]
    answer = messages[1].content[0]
    assert answer.type == "text" and answer.text.value == words
