"""Each answer has the fields of the SDK's type: none unknown, none missing."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from openai import OpenAI
from openai.resources.beta.assistants import Assistants
from openai.resources.beta.threads.messages import Messages
from openai.resources.beta.threads.runs.runs import Runs
from openai.resources.beta.threads.threads import Threads
from openai.types.beta.threads import Run

from lib.api.assistants import AssistantChanges, NewAssistant
from lib.api.bodies import Body
from lib.api.messages import MessageBody, MetadataChanges
from lib.api.runs import NewRunBody, NewThreadAndRun, ToolOutputs
from lib.api.threads import NewThread, ThreadChanges
from tests.contract.comparison import inexact_fields
from tests.doubles.model_endpoint import ModelEndpoint

RECORDED_BEYOND_THE_SDK = frozenset(
    {
        "tool_resources",
        "reasoning_effort",
        "prompt_token_details",
        "completion_tokens_details",
    }
)
"""Fields that the hosted API sent though the SDK's types lack them."""

FUNCTIONS: Any = [{"type": "function", "function": {"name": "get_time"}}]


@pytest.fixture
def waiting(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will_call(("get_time", {}), text="Let me look.")
    endpoint.will_answer("Noon.")
    assistant = client.beta.assistants.create(
        model="gpt-4o-mini",
        tools=[*FUNCTIONS, {"type": "file_search"}],
        response_format={"type": "json_object"},
    )
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        tools=FUNCTIONS,
        thread={"messages": [{"role": "user", "content": "Time?"}]},
        poll_interval_ms=5,
    )
    assert run.required_action, run.last_error
    return run


def test_every_object_of_a_run_is_exact(client: OpenAI, waiting: Run) -> None:
    assert waiting.required_action
    call = waiting.required_action.submit_tool_outputs.tool_calls[0]
    ended = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=waiting.id,
        thread_id=waiting.thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": "noon"}],
        poll_interval_ms=5,
    )
    objects = [
        waiting,
        ended,
        client.beta.assistants.retrieve(waiting.assistant_id),
        client.beta.threads.retrieve(waiting.thread_id),
        *client.beta.threads.messages.list(waiting.thread_id).data,
        *client.beta.threads.runs.steps.list(waiting.id, thread_id=waiting.thread_id).data,
        *client.models.list().data,
    ]

    assert ended.status == "completed"
    for item in objects:
        assert inexact_fields(item, RECORDED_BEYOND_THE_SDK) == []


def test_every_event_of_a_stream_is_exact(client: OpenAI, endpoint: ModelEndpoint) -> None:
    endpoint.will_call(("get_time", {"zone": "Oslo"}), text="Let me look.")
    assistant = client.beta.assistants.create(model="gpt-4o-mini", tools=FUNCTIONS)

    with client.beta.threads.create_and_run(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Time?"}]},
        stream=True,
    ) as stream:
        events = list(stream)

    names = {event.event for event in events}
    assert {"thread.created", "thread.message.delta", "thread.run.step.delta"} <= names
    for event in events:
        assert inexact_fields(event, RECORDED_BEYOND_THE_SDK) == [], event.event


@pytest.mark.parametrize(
    ("method", "body"),
    [
        (Assistants.create, NewAssistant),
        (Assistants.update, AssistantChanges),
        (Threads.create, NewThread),
        (Threads.update, ThreadChanges),
        (Threads.create_and_run, NewThreadAndRun),
        (Messages.create, MessageBody),
        (Messages.update, MetadataChanges),
        (Runs.create, NewRunBody),
        (Runs.update, MetadataChanges),
        (Runs.submit_tool_outputs, ToolOutputs),
    ],
    ids=lambda value: value.__qualname__,
)
def test_every_parameter_of_the_sdk_is_read(method: Callable[..., Any], body: type[Body]) -> None:
    of_the_sdk = {"self", "extra_headers", "extra_query", "extra_body", "timeout"}
    in_path_or_query = {"assistant_id", "thread_id", "run_id", "message_id", "include"}

    parameters = set(inspect.signature(method).parameters) - of_the_sdk

    assert parameters - in_path_or_query <= set(body.model_fields)
