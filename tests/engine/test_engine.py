"""One run a thread, cancelling, expiring, deleting in mid-run, and clients that leave."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.beta import Assistant, Thread
from openai.types.beta.threads import Run

from tests.conftest import StartServer
from tests.doubles.model_endpoint import ModelEndpoint
from tests.doubles.model_wire import Answer
from tests.engine.conftest import Ask, last_message, text_of
from tests.servers import Server, ThreadServer, events_of, run_events

HALF_SAID = Answer(text="one two three", fault="stall", fault_after=2)
"""Two words, then silence."""


def finished(client: OpenAI, run: Run) -> Run:
    return client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=5)


def wait_for_words(server: Server, run: Run, count: int) -> None:
    """Return when so many words of the run's message have been said."""
    with run_events(server, run.thread_id, run.id) as events:
        for _, name, _ in events:
            count -= name == "thread.message.delta"
            if not count:
                return
    raise AssertionError("the run ended before")


@pytest.fixture
def talking(
    server: ThreadServer,
    client: OpenAI,
    endpoint: ModelEndpoint,
    thread: Thread,
    assistant: Assistant,
) -> Run:
    """A run whose model has said two words and is about to say more."""
    endpoint.will(HALF_SAID)
    run = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    wait_for_words(server, run, 2)
    return run


async def test_fifty_runs_asked_for_at_once_start_one(
    server: ThreadServer, endpoint: ModelEndpoint, thread: Thread, assistant: Assistant
) -> None:
    endpoint.default_answer("too late", initial_delay=300)

    async with server.async_client() as client:
        started = await asyncio.gather(
            *(
                client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
                for _ in range(50)
            ),
            return_exceptions=True,
        )
        runs = await client.beta.threads.runs.list(thread.id)

    winners = [item for item in started if isinstance(item, Run)]
    refused = [item for item in started if isinstance(item, BadRequestError)]
    assert (len(winners), len(refused)) == (1, 49)
    assert [run.id for run in runs.data] == [winners[0].id]
    assert all(f"already has an active run {winners[0].id}" in str(item) for item in refused)


# --- cancelling --------------------------------------------------------------------------------


def test_cancelling_is_visible_at_once_and_keeps_what_was_said(
    client: OpenAI, talking: Run
) -> None:
    cancelling = client.beta.threads.runs.cancel(talking.id, thread_id=talking.thread_id)
    run = finished(client, talking)

    assert cancelling.status == "cancelling"
    assert (run.status, run.expires_at) == ("cancelled", None) and run.cancelled_at
    message = last_message(client, run.thread_id)
    assert (message.status, text_of(message)) == ("incomplete", "one two")
    assert message.incomplete_details and message.incomplete_details.reason == "run_cancelled"
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert [step.status for step in steps] == ["cancelled"] and steps[0].cancelled_at


def test_cancelling_hangs_up_on_the_model(
    client: OpenAI, endpoint: ModelEndpoint, talking: Run
) -> None:
    client.beta.threads.runs.cancel(talking.id, thread_id=talking.thread_id)
    finished(client, talking)

    request = endpoint.requests[-1]
    while not request.disconnected:
        pass
    assert not request.finished


def test_a_run_that_waits_for_outputs_is_cancelled(
    client: OpenAI, endpoint: ModelEndpoint, caller: Assistant, ask: Ask
) -> None:
    endpoint.will_call(("get_time", {}))
    run = ask(assistant_id=caller.id)

    cancelling = client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)

    assert (cancelling.status, cancelling.required_action) == ("cancelling", None)
    assert finished(client, run).status == "cancelled"
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert [step.status for step in steps] == ["cancelled"]


def test_a_run_is_cancelled_as_soon_as_it_is_created(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, assistant: Assistant
) -> None:
    endpoint.default_answer("too late", initial_delay=300)
    for _ in range(8):
        run = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
        client.beta.threads.runs.cancel(run.id, thread_id=thread.id)

        assert finished(client, run).status == "cancelled"


def test_a_run_is_cancelled_once(client: OpenAI, talking: Run) -> None:
    client.beta.threads.runs.cancel(talking.id, thread_id=talking.thread_id)
    finished(client, talking)

    with pytest.raises(BadRequestError, match="Cannot cancel run with status 'cancelled'"):
        client.beta.threads.runs.cancel(talking.id, thread_id=talking.thread_id)


def test_a_completed_run_is_not_cancelled(client: OpenAI, ask: Ask) -> None:
    run = ask()

    with pytest.raises(BadRequestError, match="Cannot cancel run with status 'completed'"):
        client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)


def test_a_cancelled_stream_tells_every_step_of_it(
    server: ThreadServer, client: OpenAI, talking: Run
) -> None:
    client.beta.threads.runs.cancel(talking.id, thread_id=talking.thread_id)

    with run_events(server, talking.thread_id, talking.id) as events:
        names = [name for _, name, _ in events]

    assert names[-5:] == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
        "done",
    ]


def test_a_thread_goes_on_after_a_cancelled_run(
    client: OpenAI, endpoint: ModelEndpoint, talking: Run, ask: Ask
) -> None:
    client.beta.threads.runs.cancel(talking.id, thread_id=talking.thread_id)
    finished(client, talking)
    client.beta.threads.messages.create(talking.thread_id, role="user", content="Go on.")

    assert ask().status == "completed"
    assert "one two" in str(endpoint.last)


# --- expiring ----------------------------------------------------------------------------------


@pytest.fixture
def hasty(start_server: StartServer) -> ThreadServer:
    """A server on which runs expire after one to two seconds: times are whole seconds."""
    return start_server(run_expires_after=2)


def start(client: OpenAI, **more: Any) -> Run:
    assistant = client.beta.assistants.create(
        model="gpt-4o-mini",
        instructions="Hi",
        tools=[{"type": "function", "function": {"name": "get_time"}}],
        extra_body=more.pop("assistant", {}),
    )
    return client.beta.threads.create_and_run(assistant_id=assistant.id, extra_body=more)


def until_over(server: ThreadServer, run: Run) -> Iterator[str]:
    with run_events(server, run.thread_id, run.id) as events:
        yield from (name for _, name, _ in events)


def test_a_run_that_talks_too_long_expires_and_keeps_what_was_said(
    hasty: ThreadServer, endpoint: ModelEndpoint
) -> None:
    client = hasty.client()
    endpoint.will(HALF_SAID)

    names = list(until_over(hasty, run := start(client)))

    assert names[-4:] == [
        "thread.message.incomplete",
        "thread.run.step.expired",
        "thread.run.expired",
        "done",
    ]
    run = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    assert (run.status, run.expires_at) == ("expired", None)
    message = last_message(client, run.thread_id)
    assert (message.status, text_of(message)) == ("incomplete", "one two")
    assert message.incomplete_details and message.incomplete_details.reason == "run_expired"
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert [step.status for step in steps] == ["expired"] and steps[0].expired_at


def test_a_run_that_nobody_answers_expires(hasty: ThreadServer, endpoint: ModelEndpoint) -> None:
    client = hasty.client()
    endpoint.will_call(("get_time", {}))

    names = list(until_over(hasty, run := start(client)))

    assert "thread.run.requires_action" in names and names[-2:] == ["thread.run.expired", "done"]
    run = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    assert (run.status, run.required_action) == ("expired", None)
    client.beta.threads.messages.create(run.thread_id, role="user", content="Still there?")


@pytest.mark.parametrize("extension", ["run", "assistant"])
def test_a_run_or_an_assistant_may_ask_for_more_time(
    hasty: ThreadServer, endpoint: ModelEndpoint, extension: str
) -> None:
    endpoint.default_answer("Done.")
    more: dict[str, Any] = {"expires_after": 3600}
    if extension == "assistant":
        more = {"assistant": {"run_expires_after": 3600}}

    run = start(hasty.client(), **more)

    assert run.expires_at == run.created_at + 3600


def test_a_run_may_ask_for_less_time(start_server: StartServer, endpoint: ModelEndpoint) -> None:
    server = start_server()
    endpoint.will(HALF_SAID)

    names = list(until_over(server, start(server.client(), expires_after=2)))

    assert names[-2:] == ["thread.run.expired", "done"]


# --- deleting and leaving ----------------------------------------------------------------------


def test_a_thread_deleted_in_mid_run_takes_the_run_along(
    client: OpenAI, endpoint: ModelEndpoint, talking: Run
) -> None:
    client.beta.threads.delete(talking.thread_id)

    with pytest.raises(NotFoundError):
        client.beta.threads.runs.retrieve(talking.id, thread_id=talking.thread_id)
    request = endpoint.requests[-1]
    while not request.disconnected:
        pass


def test_streams_of_a_deleted_thread_end(
    server: ThreadServer, client: OpenAI, talking: Run
) -> None:
    with run_events(server, talking.thread_id, talking.id) as events:
        next(events)
        client.beta.threads.delete(talking.thread_id)
        names = [name for _, name, _ in events]

    assert "thread.run.completed" not in names


def test_an_assistant_deleted_in_mid_run_does_not_end_the_run(
    server: ThreadServer, client: OpenAI, endpoint: ModelEndpoint, thread: Thread
) -> None:
    endpoint.will_answer("one two three", token_delay=0.1)
    assistant = client.beta.assistants.create(model="gpt-4o-mini")
    run = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    wait_for_words(server, run, 1)

    client.beta.assistants.delete(assistant.id)

    assert finished(client, run).status == "completed"


def test_a_client_that_leaves_the_stream_does_not_end_the_run(
    server: ThreadServer,
    client: OpenAI,
    endpoint: ModelEndpoint,
    thread: Thread,
    assistant: Assistant,
) -> None:
    endpoint.will_answer("one two three four five", token_delay=0.05)
    body = {"assistant_id": assistant.id, "stream": True}
    with (
        server.http() as http,
        http.stream("POST", f"threads/{thread.id}/runs", json=body) as response,
    ):
        run_id = next(events_of(response.iter_lines()))[2]["id"]

    run = client.beta.threads.runs.poll(run_id, thread_id=thread.id, poll_interval_ms=5)

    assert run.status == "completed"
    assert text_of(last_message(client, thread.id)) == "one two three four five"


def test_a_message_that_is_being_written_is_not_deleted(client: OpenAI, talking: Run) -> None:
    message = last_message(client, talking.thread_id)

    with pytest.raises(BadRequestError, match="Cancel the run first"):
        client.beta.threads.messages.delete(message.id, thread_id=talking.thread_id)

    run = client.beta.threads.runs.retrieve(talking.id, thread_id=talking.thread_id)
    assert run.status == "in_progress"


def test_metadata_set_while_the_model_talks_is_kept(
    server: ThreadServer, client: OpenAI, endpoint: ModelEndpoint, thread: Thread
) -> None:
    endpoint.will_answer("one two three", token_delay=0.1)
    assistant = client.beta.assistants.create(model="gpt-4o-mini")
    run = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    wait_for_words(server, run, 1)
    message = last_message(client, thread.id)

    client.beta.threads.messages.update(message.id, thread_id=thread.id, metadata={"a": "1"})
    client.beta.threads.runs.update(run.id, thread_id=thread.id, metadata={"b": "2"})

    run = finished(client, run)
    assert (run.status, run.metadata) == ("completed", {"b": "2"})
    message = last_message(client, thread.id)
    assert (text_of(message), message.metadata) == ("one two three", {"a": "1"})


def test_a_message_queued_during_a_run_joins_when_it_ends(client: OpenAI, talking: Run) -> None:
    queued = client.beta.threads.messages.create(
        talking.thread_id, role="user", content="And then?", extra_body={"when_busy": "queue"}
    )
    before = client.beta.threads.messages.list(talking.thread_id).data
    client.beta.threads.runs.cancel(talking.id, thread_id=talking.thread_id)
    finished(client, talking)

    after = client.beta.threads.messages.list(talking.thread_id).data
    assert queued.id not in [message.id for message in before]
    assert after[0].id == queued.id and text_of(after[0]) == "And then?"
