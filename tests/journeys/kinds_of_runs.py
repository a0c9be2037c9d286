"""Runs of every kind, made as programs make them, for journeys to look into."""

import time
from collections.abc import Callable
from typing import Any

from openai import OpenAI
from openai.types.beta.threads import Run

from lib.dashboard.studio_api import read_health
from tests.doubles.model_endpoint import ModelEndpoint
from tests.doubles.model_wire import Answer

FUNCTION: Any = {"type": "function", "function": {"name": "get_weather"}}
CODE: Any = {"type": "code_interpreter"}
SEARCH: Any = {"type": "file_search"}

PLOT = """\
import matplotlib.pyplot as plt
hours = [6, 9, 12, 15, 18]
degrees = [11, 15, 19, 20, 17]
plt.plot(hours, degrees, marker="o")
plt.xlabel("Hour")
plt.ylabel("Degrees")
plt.show()
print("twenty degrees at", hours[degrees.index(max(degrees))])"""

HANDBOOK = """# Harbour handbook
The harbour opens at nine. Boats pay a fee of five crowns.

# Weather
A yellow flag is raised when the wind is strong. In summer it is twenty degrees warm at noon."""

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
    endpoint.will_answer("It is warm: about twenty degrees.")
    return ask(client)


def code(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    while read_health(client).code_interpreter.starting:
        time.sleep(0.05)
    endpoint.will_call(("code_interpreter", {"code": PLOT}))
    endpoint.will_answer("It is warmest at three.")
    return ask(client, CODE)


def search(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    store = client.vector_stores.create(name="Handbooks")
    client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("handbook.md", HANDBOOK.encode())
    )
    endpoint.will_call(("file_search", {"query": "how warm is it in summer"}))
    endpoint.will_answer("Twenty degrees at noon【0:0†handbook.md】.")
    resources = {"file_search": {"vector_store_ids": [store.id]}}
    return ask(client, SEARCH, extra_body={"tool_resources": resources})


def function(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    run = _waiting(client, endpoint)
    endpoint.will_answer("It is warm.")
    assert run.required_action
    [call] = run.required_action.submit_tool_outputs.tool_calls
    return client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=run.thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": '{"degrees": 20}'}],
        poll_interval_ms=50,
    )


def refused(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will_fail(400, message="The prompt is too strange.")
    return ask(client)


def key_refused(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will_fail(401, code="invalid_api_key", message="Incorrect API key provided.")
    return ask(client)


def out_of_quota(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will_fail(429, code="insufficient_quota", message="You ran out of quota.", times=3)
    return ask(client)


def broken_off(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    for _ in range(3):
        endpoint.will(Answer(text="It is warm because", fault="end", fault_after=3))
    return ask(client)


def filtered(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will(Answer(text="It is warm because", finish="content_filter"))
    return ask(client)


def failed_after_code(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    while read_health(client).code_interpreter.starting:
        time.sleep(0.05)
    endpoint.will_call(("code_interpreter", {"code": "1 / 0"}))
    endpoint.will_fail(400, message="The prompt is too strange.")
    return ask(client, CODE)


def incomplete(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will(Answer(text="It is", finish="length"))
    return ask(client)


def cancelled(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    run = _waiting(client, endpoint)
    client.beta.threads.runs.cancel(run_id=run.id, thread_id=run.thread_id)
    return client.beta.threads.runs.poll(run_id=run.id, thread_id=run.thread_id)


def expired(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    run = _waiting(client, endpoint, extra_body={"expires_after": 1})
    while run.status == "requires_action":
        time.sleep(0.1)
        run = client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
    return run


def _waiting(client: OpenAI, endpoint: ModelEndpoint, **more: Any) -> Run:
    endpoint.will_call(("get_weather", {"city": "Oslo"}))
    return ask(client, FUNCTION, **more)
