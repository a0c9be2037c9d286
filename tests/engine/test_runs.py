"""Tool outputs: what is accepted, what is refused, and that a refused run keeps waiting."""

import json
from typing import Any

import pytest
from openai import BadRequestError, OpenAI
from openai.types.beta import Assistant
from openai.types.beta.threads import Run

from tests.conftest import StartServer
from tests.doubles.model_endpoint import ModelEndpoint
from tests.doubles.model_wire import Answer
from tests.engine.conftest import Ask, last_message, text_of

BROKEN = '{"city": "Oslo", "days": [1, 2'


@pytest.fixture
def waiting(endpoint: ModelEndpoint, caller: Assistant, ask: Ask) -> Run:
    """A run that waits for the outputs of two calls."""
    endpoint.will_call(("get_weather", {"city": "Oslo"}), ("get_time", {}))
    return ask(assistant_id=caller.id)


def calls_of(run: Run) -> list[str]:
    assert run.required_action, run.last_error
    return [call.id for call in run.required_action.submit_tool_outputs.tool_calls]


def submit(client: OpenAI, run: Run, outputs: list[tuple[str, str]]) -> Run:
    return client.beta.threads.runs.submit_tool_outputs(
        run.id,
        thread_id=run.thread_id,
        tool_outputs=[{"tool_call_id": call_id, "output": text} for call_id, text in outputs],
    )


def finished(client: OpenAI, run: Run) -> Run:
    return client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=5)


@pytest.mark.parametrize(
    "chosen",
    [[], [0], [0, 0], [0, 1, 1], ["unknown"], [0, "unknown"], [0, 1, "unknown"]],
    ids=str,
)
def test_anything_but_one_output_for_each_call_is_refused_and_the_run_waits(
    client: OpenAI, waiting: Run, chosen: list[Any]
) -> None:
    calls = calls_of(waiting)
    given = [calls[item] if isinstance(item, int) else f"call_{item}" for item in chosen]

    with pytest.raises(BadRequestError) as caught:
        submit(client, waiting, [(call_id, "x") for call_id in given])

    assert caught.value.param == "tool_outputs"
    assert f"Expected tool outputs for call_ids {calls}" in caught.value.message
    again = client.beta.threads.runs.retrieve(waiting.id, thread_id=waiting.thread_id)
    assert again == waiting


def test_after_a_refusal_the_right_outputs_are_still_accepted(
    client: OpenAI, waiting: Run, endpoint: ModelEndpoint
) -> None:
    endpoint.will_answer("Rain at noon.")
    with pytest.raises(BadRequestError):
        submit(client, waiting, [])

    submit(client, waiting, [(call_id, "ok") for call_id in reversed(calls_of(waiting))])

    assert finished(client, waiting).status == "completed"
    assert text_of(last_message(client, waiting.thread_id)) == "Rain at noon."


def test_the_model_sees_each_output_with_its_call(
    client: OpenAI, waiting: Run, endpoint: ModelEndpoint
) -> None:
    first, second = calls_of(waiting)

    submit(client, waiting, [(second, "noon"), (first, "rain")])
    finished(client, waiting)

    said = endpoint.last.get("messages") or endpoint.last["input"]
    answers = [
        (item.get("tool_call_id") or item.get("call_id"), item.get("content") or item["output"])
        for item in said
        if item.get("role") == "tool" or item.get("type") == "function_call_output"
    ]
    assert answers == [(first, "rain"), (second, "noon")]


def test_outputs_are_accepted_once(client: OpenAI, waiting: Run, endpoint: ModelEndpoint) -> None:
    endpoint.default_answer("too late", initial_delay=300)
    outputs = [(call_id, "ok") for call_id in calls_of(waiting)]
    submit(client, waiting, outputs)

    with pytest.raises(BadRequestError, match="do not accept tool outputs"):
        submit(client, waiting, outputs)


def test_a_run_that_is_over_accepts_no_outputs(client: OpenAI, ask: Ask) -> None:
    run = ask()

    with pytest.raises(BadRequestError) as caught:
        submit(client, run, [("call_x", "ok")])

    assert 'Runs in status "completed" do not accept tool outputs.' in caught.value.message


def test_several_rounds_follow_each_other(
    client: OpenAI, waiting: Run, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(("get_weather", {"city": "Bergen"}), completion_tokens=7)
    endpoint.will_answer("Rain in both.")

    run = waiting
    while run.status == "requires_action":
        submit(client, run, [(call_id, "rain") for call_id in calls_of(run)])
        run = finished(client, run)

    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc").data
    assert run.status == "completed"
    assert [step.type for step in steps] == ["tool_calls", "tool_calls", "message_creation"]
    total = sum(step.usage.total_tokens for step in steps if step.usage)
    assert run.usage and run.usage.total_tokens == total


@pytest.mark.parametrize("arguments", [BROKEN, "", "null", "not json", '{"a": "\\ud800"}'])
def test_arguments_are_passed_on_as_the_model_wrote_them(
    client: OpenAI, endpoint: ModelEndpoint, caller: Assistant, ask: Ask, arguments: str
) -> None:
    endpoint.will_call(("get_weather", arguments))

    run = ask(assistant_id=caller.id)

    assert run.required_action, run.last_error
    call = run.required_action.submit_tool_outputs.tool_calls[0]
    # Servers leave the arguments of a call without any out: those are an empty object.
    assert call.function.arguments == (arguments or "{}")
    endpoint.will_answer("Sorry.")
    submit(client, run, [(call.id, "those were no arguments")])
    assert finished(client, run).status == "completed"
    sent = json.dumps(endpoint.last)
    assert json.dumps(arguments or "{}") in sent


def test_an_output_may_be_empty_or_anything(
    client: OpenAI, waiting: Run, endpoint: ModelEndpoint
) -> None:
    endpoint.will_answer("Fine.")
    first, second = calls_of(waiting)

    submit(client, waiting, [(first, ""), (second, "\x00😀" * 1000)])

    assert finished(client, waiting).status == "completed"


def test_a_forced_call_is_forced_once(
    client: OpenAI, endpoint: ModelEndpoint, caller: Assistant, ask: Ask
) -> None:
    endpoint.will_call(("get_time", {}))
    endpoint.will_answer("Noon.")

    run = ask(assistant_id=caller.id, tool_choice="required")
    assert endpoint.last["tool_choice"] == "required"
    submit(client, run, [(call_id, "noon") for call_id in calls_of(run)])
    run = finished(client, run)

    assert (run.status, run.tool_choice) == ("completed", "required")
    assert endpoint.last["tool_choice"] == "auto"


def test_the_next_run_of_the_thread_sees_the_calls_of_the_last(
    client: OpenAI, endpoint: ModelEndpoint, waiting: Run, ask: Ask
) -> None:
    endpoint.will_answer("Rain.")
    submit(client, waiting, [(call_id, "rain at noon") for call_id in calls_of(waiting)])
    finished(client, waiting)

    client.beta.threads.messages.create(waiting.thread_id, role="user", content="Sure?")
    assert ask().status == "completed"

    assert "rain at noon" in json.dumps(endpoint.last)


def test_outputs_after_the_expiry_are_refused(
    start_server: StartServer, endpoint: ModelEndpoint
) -> None:
    client = start_server(run_expires_after=2).client()
    endpoint.will(Answer(calls=[("get_time", "{}")]))
    assistant = client.beta.assistants.create(
        model="gpt-4o-mini",
        instructions="Hi",
        tools=[{"type": "function", "function": {"name": "get_time"}}],
    )
    run = client.beta.threads.create_and_run_poll(assistant_id=assistant.id, poll_interval_ms=5)
    call_ids = calls_of(run)
    while client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status != "expired":
        pass

    with pytest.raises(BadRequestError, match="expired"):
        submit(client, run, [(call_id, "noon") for call_id in call_ids])
