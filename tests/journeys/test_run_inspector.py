"""A person looks into runs of every kind, and lets one assistant answer many prompts."""

from collections.abc import Callable
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta.threads import Run
from playwright.sync_api import Page, expect

from tests.doubles.model_endpoint import ModelEndpoint
from tests.doubles.model_wire import Answer

# A browser on a busy machine takes its time.
pytestmark = pytest.mark.timeout(400)

FUNCTION: Any = {"type": "function", "function": {"name": "get_weather"}}
CODE: Any = {"type": "code_interpreter"}

Kind = Callable[[OpenAI, ModelEndpoint], Run]


def ask(client: OpenAI, *tools: Any, **more: Any) -> Run:
    assistant = client.beta.assistants.create(model="gpt-4o-mini", name="Tutor", tools=tools)
    return client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "How warm is it?"}]},
        poll_interval_ms=50,
        **more,
    )


def text(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will_answer("It is warm.")
    return ask(client)


def code(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will_call(("code_interpreter", {"code": "print('twenty degrees')"}))
    endpoint.will_answer("It is warm.")
    return ask(client, CODE)


def function(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will_call(("get_weather", {"city": "Oslo"}))
    endpoint.will_answer("It is warm.")
    run = ask(client, FUNCTION)
    assert run.required_action
    [call] = run.required_action.submit_tool_outputs.tool_calls
    return client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=run.thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": "20 degrees"}],
        poll_interval_ms=50,
    )


def failed(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will_fail(400, message="Too strange.")
    return ask(client)


def incomplete(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will(Answer(text="It is", finish="length"))
    return ask(client)


def cancelled(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will_call(("get_weather", {"city": "Oslo"}))
    run = ask(client, FUNCTION)
    client.beta.threads.runs.cancel(run_id=run.id, thread_id=run.thread_id)
    return client.beta.threads.runs.poll(run_id=run.id, thread_id=run.thread_id)


def expired(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will_call(("get_weather", {"city": "Oslo"}))
    return ask(client, FUNCTION, extra_body={"expires_after": 1})


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        pytest.param(text, "Answered in", id="text"),
        pytest.param(code, "Ran Python once, answered in", id="code"),
        pytest.param(function, "Asked you one question, answered in", id="function"),
        pytest.param(failed, "It failed before its first step", id="failed"),
        pytest.param(incomplete, "Was cut short after", id="incomplete"),
        pytest.param(cancelled, "You stopped this answer.", id="cancelled"),
        pytest.param(expired, "The run expired before it could finish.", id="expired"),
    ],
)
def test_a_run_says_in_plain_words_what_it_did(
    kind: Kind, said: str, page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = kind(client, endpoint)

    page.goto(f"{studio}/runs?run={run.id}&thread={run.thread_id}")

    expect(page.get_by_text(said).first).to_be_visible()
    page.get_by_text("Timeline", exact=True).click()
    expect(page.get_by_text("Seconds since the run was created").first).to_be_visible()
    page.get_by_text("Events", exact=True).click()
    expect(page.get_by_text("Choose an event to see what it carried.")).to_be_visible()
    page.get_by_text("Model calls", exact=True).click()
    expect(page.get_by_text("Exactly what the model was shown in call 1")).to_be_visible()


def test_a_step_is_opened_with_its_code_and_output(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = code(client, endpoint)
    page.goto(f"{studio}/runs?run={run.id}&thread={run.thread_id}")
    expect(page.get_by_text("Choose a step to see it whole.")).to_be_visible()

    steps = page.get_by_test_id("stDataFrame").nth(1)
    steps.click(position={"x": 12, "y": 52})

    expect(page.get_by_text("print('twenty degrees')")).to_be_visible()
    expect(page.get_by_text("twenty degrees", exact=True).last).to_be_visible()


def test_a_run_is_asked_again_and_compared_with_the_first(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = text(client, endpoint)
    endpoint.will_answer("It is rather cold.")
    page.goto(f"{studio}/runs?run={run.id}&thread={run.thread_id}")

    page.get_by_role("button", name="Run again").click()
    page.get_by_test_id("stFormSubmitButton").get_by_role("button", name="Run again").click()

    expect(page.get_by_text("It is rather cold.")).to_be_visible()
    expect(page.get_by_text("It is warm.")).to_be_visible()
    expect(page.get_by_text("The other run").first).to_be_visible()


def test_a_batch_goes_on_while_its_page_is_closed(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    client.beta.assistants.create(model="gpt-4o-mini", name="Tutor")
    endpoint.default_answer("Fine.", initial_delay=0.5)
    page.goto(f"{studio}/batch")
    page.get_by_role("textbox", name="Prompts, one a line").fill("\n".join("abcdefghijkl"))
    page.get_by_role("button", name="Run them all").click()
    expect(page.get_by_text("of 12 done")).to_be_visible()
    address, context = page.url, page.context

    page.close()

    later = context.new_page()
    later.goto(address)
    expect(later.get_by_text("12 of 12 done")).to_be_visible()
