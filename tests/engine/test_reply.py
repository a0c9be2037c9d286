"""Streams: the published events in the published order, and deltas that add up."""

from typing import Any

import pytest
from openai import AssistantEventHandler, AsyncAssistantEventHandler, OpenAI
from openai.types.beta import Assistant, Thread
from openai.types.beta.threads import Message, MessageDelta, Text, TextDelta
from openai.types.beta.threads.runs import RunStep, ToolCall, ToolCallDelta

from tests.doubles.model_endpoint import ModelEndpoint
from tests.engine.conftest import Ask, text_of
from tests.servers import ThreadServer, events_of, run_events

TEXT = "The answer is 1, because 3 · 1 + 11 = 14 — 😀 \n\n```python\nx = 1\n```"


class Recorder(AssistantEventHandler):
    """Keeps what the SDK put together from the deltas."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.messages: list[Message] = []
        self.tool_calls: list[ToolCall] = []

    def on_event(self, event: Any) -> None:
        self.names.append(event.event)

    def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        assert snapshot.value.endswith(delta.value or "")

    def on_text_done(self, text: Text) -> None:
        self.texts.append(text.value)

    def on_message_done(self, message: Message) -> None:
        self.messages.append(message)

    def on_tool_call_delta(self, delta: ToolCallDelta, snapshot: ToolCall) -> None:
        assert delta.type == snapshot.type == "function"

    def on_tool_call_done(self, tool_call: ToolCall) -> None:
        self.tool_calls.append(tool_call)


def raw_events(server: ThreadServer, path: str, body: Any) -> list[tuple[str, Any]]:
    with server.http() as http, http.stream("POST", path, json=body) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        return [(name, payload) for _, name, payload in events_of(response.iter_lines())]


def names_of(events: list[tuple[str, Any]]) -> list[str]:
    """Names, with several deltas in a row as one."""
    names = [name for name, _ in events]
    return [
        name
        for number, name in enumerate(names)
        if not (name.endswith(".delta") and number and names[number - 1] == name)
    ]


RUN_STARTS = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
STEP_STARTS = ["thread.run.step.created", "thread.run.step.in_progress"]
MESSAGE = [
    *STEP_STARTS,
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
]
RUN_ENDS = ["thread.run.completed", "done"]


def test_a_text_answer_has_the_published_events_in_order(
    server: ThreadServer, endpoint: ModelEndpoint, thread: Thread, assistant: Assistant
) -> None:
    endpoint.will_answer(TEXT)

    body = {"assistant_id": assistant.id, "stream": True}
    events = raw_events(server, f"threads/{thread.id}/runs", body)

    assert names_of(events) == [*RUN_STARTS, *MESSAGE, *RUN_ENDS]
    assert events[-1] == ("done", "[DONE]")
    statuses = [payload["status"] for name, payload in events if name.startswith("thread.run.")]
    assert statuses[:3] == ["queued", "queued", "in_progress"] and statuses[-1] == "completed"


def test_thread_and_run_together_begin_with_the_thread(
    server: ThreadServer, assistant: Assistant
) -> None:
    body = {
        "assistant_id": assistant.id,
        "thread": {"messages": [{"role": "user", "content": "Hi"}]},
        "stream": True,
    }
    events = raw_events(server, "threads/runs", body)

    assert names_of(events) == ["thread.created", *RUN_STARTS, *MESSAGE, *RUN_ENDS]
    assert events[0][1]["object"] == "thread"


def test_text_deltas_add_up_to_the_final_message(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, assistant: Assistant
) -> None:
    endpoint.will_answer(TEXT)
    recorder = Recorder()

    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=recorder
    ) as stream:
        stream.until_done()

    final = client.beta.threads.messages.list(thread.id).data[0]
    assert recorder.texts == [TEXT] == [text_of(final)]
    assert recorder.messages == [final]
    assert stream.get_final_messages() == [final]
    assert stream.get_final_run().status == "completed"


async def test_the_async_handler_puts_the_same_together(
    server: ThreadServer, endpoint: ModelEndpoint, thread: Thread, assistant: Assistant
) -> None:
    endpoint.will_answer(TEXT)

    async with (
        server.async_client() as client,
        client.beta.threads.runs.stream(
            thread_id=thread.id,
            assistant_id=assistant.id,
            event_handler=AsyncAssistantEventHandler(),
        ) as stream,
    ):
        texts = [text async for text in stream.text_deltas]

    assert "".join(texts) == TEXT


def test_a_refusal_streams_as_a_part_of_its_own(
    server: ThreadServer,
    client: OpenAI,
    endpoint: ModelEndpoint,
    thread: Thread,
    assistant: Assistant,
) -> None:
    endpoint.will_refuse("I cannot help with that.")

    body = {"assistant_id": assistant.id, "stream": True}
    events = raw_events(server, f"threads/{thread.id}/runs", body)

    deltas = [
        part
        for name, payload in events
        if name == "thread.message.delta"
        for part in payload["delta"]["content"]
    ]
    assert {(part["index"], part["type"]) for part in deltas} == {(0, "refusal")}
    assert "".join(part["refusal"] for part in deltas) == "I cannot help with that."
    final = client.beta.threads.messages.list(thread.id).data[0]
    assert [part.to_dict() for part in final.content] == [
        {"type": "refusal", "refusal": "I cannot help with that."}
    ]


def test_several_calls_add_up_to_what_is_required(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, caller: Assistant
) -> None:
    endpoint.will_call(
        ("get_weather", {"city": "Oslo", "days": [1, 2, 3]}), ("get_time", {"zone": "Europe/Oslo"})
    )
    endpoint.will_answer("Rain at noon.")
    asking, answering = Recorder(), Recorder()

    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=caller.id, event_handler=asking
    ) as stream:
        stream.until_done()
    run = stream.current_run
    assert run and run.required_action
    required = run.required_action.submit_tool_outputs.tool_calls
    with client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=run.id,
        thread_id=thread.id,
        tool_outputs=[{"tool_call_id": call.id, "output": "ok"} for call in required],
        event_handler=answering,
    ) as stream:
        stream.until_done()

    put_together = [(call.id, call.to_dict()["function"]) for call in asking.tool_calls]
    assert put_together == [
        (call.id, {**call.function.to_dict(), "output": None}) for call in required
    ]
    assert asking.names[-1] == "thread.run.requires_action"
    assert answering.texts == ["Rain at noon."]
    assert answering.names[:3] == [
        "thread.run.step.completed",
        "thread.run.queued",
        "thread.run.in_progress",
    ]


def test_a_stream_of_calls_ends_with_done_when_it_waits(
    server: ThreadServer, endpoint: ModelEndpoint, thread: Thread, caller: Assistant
) -> None:
    endpoint.will_call(("get_weather", {"city": "Oslo"}))

    body = {"assistant_id": caller.id, "stream": True}
    events = raw_events(server, f"threads/{thread.id}/runs", body)

    calls = ["thread.run.step.delta", "thread.run.requires_action", "done"]
    assert names_of(events) == [*RUN_STARTS, *STEP_STARTS, *calls]


def test_words_before_a_call_are_a_message_and_a_step_of_their_own(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, caller: Assistant
) -> None:
    endpoint.will_call(("get_weather", {"city": "Oslo"}), text="Let me look.")

    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=caller.id, poll_interval_ms=5
    )

    steps: list[RunStep] = client.beta.threads.runs.steps.list(
        run.id, thread_id=thread.id, order="asc"
    ).data
    assert [(step.type, step.status) for step in steps] == [
        ("message_creation", "completed"),
        ("tool_calls", "in_progress"),
    ]
    message = client.beta.threads.messages.list(thread.id).data[0]
    assert (text_of(message), message.status) == ("Let me look.", "completed")


@pytest.mark.parametrize("fault", ["break", "content_filter", "length"])
def test_a_stream_cut_short_tells_the_message_and_the_run(
    server: ThreadServer,
    endpoint: ModelEndpoint,
    thread: Thread,
    assistant: Assistant,
    fault: str,
) -> None:
    if fault == "break":
        endpoint.will_answer("one two three", fault="break", fault_after=2)
    else:
        endpoint.will_answer("one two three", finish=fault)

    body = {"assistant_id": assistant.id, "stream": True}
    events = raw_events(server, f"threads/{thread.id}/runs", body)

    end = "thread.run.incomplete" if fault == "length" else "thread.run.failed"
    step = "thread.run.step.completed" if fault == "length" else "thread.run.step.failed"
    assert names_of(events)[-4:] == ["thread.message.incomplete", step, end, "done"]


def test_errors_before_the_stream_are_plain_answers(server: ThreadServer, thread: Thread) -> None:
    with server.http() as http:
        body = {"assistant_id": "asst_unknown", "stream": True}
        answer = http.post(f"threads/{thread.id}/runs", json=body)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"


def test_the_log_replays_what_the_stream_told(
    server: ThreadServer, endpoint: ModelEndpoint, thread: Thread, assistant: Assistant
) -> None:
    endpoint.will_answer(TEXT)
    body = {"assistant_id": assistant.id, "stream": True}
    streamed = raw_events(server, f"threads/{thread.id}/runs", body)

    with run_events(server, thread.id, streamed[0][1]["id"]) as events:
        replayed = [(name, payload) for _, name, payload in events]

    assert replayed == streamed


def test_deltas_have_the_shape_of_the_sdk(server: ThreadServer, ask: Ask, thread: Thread) -> None:
    run = ask()

    with run_events(server, thread.id, run.id) as events:
        deltas = [payload for _, name, payload in events if name == "thread.message.delta"]

    for delta in deltas:
        assert delta["object"] == "thread.message.delta" and delta["id"].startswith("msg_")
        assert MessageDelta.model_validate(delta["delta"]).model_extra == {}
