"""The event log: attach late, from the first event or after any other."""

import pytest
from openai import NotFoundError, OpenAI
from openai.types.beta import Assistant, Thread
from openai.types.beta.threads import Run

from tests.doubles.model_endpoint import ModelEndpoint
from tests.engine.conftest import Ask
from tests.servers import ThreadServer, run_events


def test_a_finished_run_is_told_from_its_first_event(server: ThreadServer, ask: Ask) -> None:
    run = ask()

    with run_events(server, run.thread_id, run.id) as events:
        told = list(events)

    ids = [event_id for event_id, _, _ in told[:-1]]
    assert told[0][1] == "thread.run.created" and told[-1][1] == "done"
    assert ids == sorted(set(ids))
    assert told[-2][2] == run.to_dict()


def test_every_event_after_the_last_one_seen_is_told(server: ThreadServer, ask: Ask) -> None:
    run = ask()
    with run_events(server, run.thread_id, run.id) as events:
        told = list(events)

    for number, (event_id, _, _) in enumerate(told[:-1]):
        with run_events(server, run.thread_id, run.id, after=event_id) as events:
            assert list(events) == told[number + 1 :]


def test_attaching_in_the_middle_gives_the_whole(
    server: ThreadServer,
    client: OpenAI,
    endpoint: ModelEndpoint,
    thread: Thread,
    assistant: Assistant,
) -> None:
    endpoint.will_answer("one two three four five", token_delay=0.05)
    run = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)

    with run_events(server, thread.id, run.id) as first:
        seen = [next(first) for _ in range(8)]
        with run_events(server, thread.id, run.id) as second:
            assert [next(second) for _ in range(8)] == seen
            rest = list(second)
        assert list(first) == rest
    with run_events(server, thread.id, run.id, after=seen[-1][0]) as third:
        assert list(third) == rest


def test_the_stream_goes_on_through_waiting_for_outputs(
    server: ThreadServer,
    client: OpenAI,
    endpoint: ModelEndpoint,
    thread: Thread,
    caller: Assistant,
) -> None:
    endpoint.will_call(("get_time", {}))
    run: Run = client.beta.threads.runs.create(thread.id, assistant_id=caller.id)

    names = []
    with run_events(server, thread.id, run.id) as events:
        for _, name, payload in events:
            names.append(name)
            if name == "thread.run.requires_action":
                calls = payload["required_action"]["submit_tool_outputs"]["tool_calls"]
                client.beta.threads.runs.submit_tool_outputs(
                    run.id,
                    thread_id=thread.id,
                    tool_outputs=[{"tool_call_id": calls[0]["id"], "output": "noon"}],
                )

    assert names[-2:] == ["thread.run.completed", "done"]
    assert names.count("thread.run.in_progress") == 2


def test_a_long_answer_is_told_whole_each_time(
    server: ThreadServer, endpoint: ModelEndpoint, ask: Ask
) -> None:
    endpoint.will_answer("", tokens=1500)
    run = ask()

    told = []
    for _ in range(3):
        with run_events(server, run.thread_id, run.id) as events:
            told.append(list(events))

    assert told[0] == told[1] == told[2]
    deltas = [payload for _, name, payload in told[0] if name == "thread.message.delta"]
    said = "".join(delta["delta"]["content"][0]["text"]["value"] for delta in deltas)
    assert said.split() == [f"word{number}" for number in range(1500)]


def test_events_of_an_unknown_run_are_not_found(client: OpenAI, thread: Thread) -> None:
    with pytest.raises(NotFoundError, match="No run found with id 'run_unknown'"):
        client.get(f"/threads/{thread.id}/runs/run_unknown/events", cast_to=object)


@pytest.mark.parametrize("last_event_id", ["abc", "-1", "9" * 30])
def test_a_last_event_id_that_is_none_is_refused(
    server: ThreadServer, ask: Ask, last_event_id: str
) -> None:
    run = ask()

    with server.http(**{"Last-Event-ID": last_event_id}) as http:
        answer = http.get(f"threads/{run.thread_id}/runs/{run.id}/events")

    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
