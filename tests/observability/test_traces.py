"""What arrives at AgentOps and at an OTLP collector, for each kind of run."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta.threads import Run
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from lib.observability.trace_ids import trace_id_of
from tests.conftest import StartServer
from tests.doubles.model_endpoint import ModelEndpoint
from tests.doubles.model_wire import Answer
from tests.doubles.trace_receiver import Receiver, attributes_of
from tests.servers import ThreadServer

SECRET_QUESTION = "What is the name of my cat?"
SECRET_ANSWER = "Behemoth."
FUNCTION: Any = {"type": "function", "function": {"name": "get_weather"}}
CODE: Any = {"type": "code_interpreter"}
SEARCH: Any = {"type": "file_search"}
SECRET_QUERY = "names of cats"
SECRET_FILE = "The cat is called Behemoth and plays chess."
KEY = "sk-proj-Ab3dEf6hIj9kLm2nOp5"


def ask(client: OpenAI, *tools: Any, **more: Any) -> Run:
    assistant = client.beta.assistants.create(
        model="gpt-4o-mini", tools=tools, metadata={"tags": "tutor, demo"}
    )
    return client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": SECRET_QUESTION}]},
        poll_interval_ms=10,
        **more,
    )


def trace_id(run: Run) -> str:
    return f"{trace_id_of(run.id):032x}"


def by_name(spans: list[Span]) -> dict[str, Span]:
    return {span.name: span for span in spans}


def text(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will_answer(SECRET_ANSWER)
    return ask(client)


def code(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will_call(("code_interpreter", {"code": "1 + 1"}))
    endpoint.will_answer(SECRET_ANSWER)
    return ask(client, CODE)


def function(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will_call(("get_weather", {"city": "Oslo"}))
    endpoint.will_answer(SECRET_ANSWER)
    run = ask(client, FUNCTION)
    assert run.required_action
    [call] = run.required_action.submit_tool_outputs.tool_calls
    return client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=run.thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": "Sunny"}],
        poll_interval_ms=10,
    )


def refused_by_the_endpoint(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will_fail(400, message="No.")
    return ask(client)


def broken_off(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    for _ in range(3):
        endpoint.will(Answer(text="One two three", fault="end", fault_after=1))
    return ask(client)


def filtered(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will(Answer(text="One two three", finish="content_filter"))
    return ask(client)


def incomplete(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will(Answer(text="One two three", finish="length"))
    return ask(client)


def cancelled(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will_call(("get_weather", {"city": "Oslo"}))
    run = ask(client, FUNCTION)
    client.beta.threads.runs.cancel(run_id=run.id, thread_id=run.thread_id)
    return client.beta.threads.runs.poll(
        run_id=run.id, thread_id=run.thread_id, poll_interval_ms=10
    )


def expired(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    endpoint.will_call(("get_weather", {"city": "Oslo"}))
    run = ask(client, FUNCTION, extra_body={"expires_after": 1})
    while run.status == "requires_action":
        time.sleep(0.05)
        run = client.beta.threads.runs.retrieve(run_id=run.id, thread_id=run.thread_id)
    return run


def search(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    store = client.vector_stores.create()
    client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("cats.md", SECRET_FILE.encode())
    )
    endpoint.will_call(("file_search", {"query": SECRET_QUERY}))
    endpoint.will_answer(SECRET_ANSWER)
    resources = {"file_search": {"vector_store_ids": [store.id]}}
    return ask(client, SEARCH, extra_body={"tool_resources": resources})


Kind = Callable[[OpenAI, ModelEndpoint], Run]
OK, ERROR, UNSET = Status.STATUS_CODE_OK, Status.STATUS_CODE_ERROR, Status.STATUS_CODE_UNSET
KINDS = [
    pytest.param(text, "completed", OK, "Success", id="text"),
    pytest.param(code, "completed", OK, "Success", id="code"),
    pytest.param(search, "completed", OK, "Success", id="search"),
    pytest.param(function, "completed", OK, "Success", id="function"),
    pytest.param(refused_by_the_endpoint, "failed", ERROR, "Fail", id="refused"),
    pytest.param(broken_off, "failed", ERROR, "Fail", id="broken off"),
    pytest.param(filtered, "failed", ERROR, "Fail", id="filtered"),
    pytest.param(incomplete, "incomplete", UNSET, "Indeterminate", id="incomplete"),
    pytest.param(cancelled, "cancelled", UNSET, "Indeterminate", id="cancelled"),
    pytest.param(expired, "expired", ERROR, "Fail", id="expired"),
]


@pytest.mark.parametrize(("kind", "run_status", "status", "end_state"), KINDS)
def test_a_run_is_one_trace_with_its_status_tags_and_tokens(
    kind: Kind,
    run_status: str,
    status: Any,
    end_state: str,
    client: OpenAI,
    endpoint: ModelEndpoint,
    agentops: Receiver,
    collector: Receiver,
) -> None:
    run = kind(client, endpoint)
    assert run.status == run_status

    spans = agentops.wait_for(trace_id(run))

    [root] = [span for span in spans if not span.parent_span_id]
    ids = {span.span_id for span in spans}
    last = max(spans, key=lambda span: span.start_time_unix_nano)
    attributes = attributes_of(root)
    assert root.name == "assistant_run.session"
    assert len(ids) == len(spans)
    assert all(span.parent_span_id in ids for span in spans if span is not root)
    assert root.status.code == status
    assert attributes_of(root)["agentops.span.kind"] == "session"
    assert attributes["agentops.session.end_state"] == end_state
    assert f"run:{run.id}" in attributes["agentops.tags"]
    assert f"thread:{run.thread_id}" in attributes["agentops.tags"]
    assert f"assistant:{run.assistant_id}" in attributes["agentops.tags"]
    assert '"tutor", "demo"' in attributes["agentops.tags"]
    assert by_name(spans)["assistant_run.end"].status.code == status
    assert last.start_time_unix_nano == by_name(spans)["assistant_run.end"].start_time_unix_nano
    assert summed(spans, "gen_ai.usage.prompt_tokens") == (
        run.usage.prompt_tokens if run.usage else 0
    )
    assert summed(spans, "gen_ai.usage.completion_tokens") == (
        run.usage.completion_tokens if run.usage else 0
    )
    assert agentops.logins == 1
    assert agentops.problems == []
    assert ids == {span.span_id for span in collector.wait_for(trace_id(run))}
    assert collector.problems == []


def summed(spans: list[Span], name: str) -> int:
    return sum(int(attributes_of(span).get(name, 0)) for span in spans)


def test_tool_calls_are_spans_below_their_step(
    client: OpenAI, endpoint: ModelEndpoint, agentops: Receiver
) -> None:
    run = function(client, endpoint)

    spans = by_name(agentops.wait_for(trace_id(run)))

    tool, step = spans["get_weather.tool"], spans["run_step.tool_calls"]
    assert tool.parent_span_id == step.span_id
    assert step.parent_span_id == spans["assistant_run.session"].span_id
    assert attributes_of(tool)["tool.name"] == "get_weather"
    assert not any(name.startswith("gen_ai.") for name in attributes_of(tool))
    assert attributes_of(spans["model.llm"])["gen_ai.response.model"] == "gpt-4o-mini"
    assert attributes_of(spans["model.llm"])["agentops.span.kind"] == "llm"


@pytest.mark.parametrize(
    ("kind", "tool_name"), [(code, "code_interpreter"), (search, "file_search")]
)
def test_tools_that_run_here_are_spans_with_their_own_times(
    kind: Kind, tool_name: str, client: OpenAI, endpoint: ModelEndpoint, agentops: Receiver
) -> None:
    run = kind(client, endpoint)

    spans = by_name(agentops.wait_for(trace_id(run)))

    tool, step = spans[f"{tool_name}.tool"], spans["run_step.tool_calls"]
    assert tool.parent_span_id == step.span_id
    assert attributes_of(tool)["tool.name"] == tool_name
    assert attributes_of(tool)["agentops.span.kind"] == "tool"
    assert 0 < tool.start_time_unix_nano <= tool.end_time_unix_nano
    assert tool.status.code == OK


@pytest.mark.parametrize("with_content", [False, True])
def test_what_was_searched_and_found_is_sent_only_when_it_is_wanted(
    with_content: bool, start_server: StartServer, endpoint: ModelEndpoint, collector: Receiver
) -> None:
    server = start_server(otel_exporter_otlp_endpoint=collector.url, trace_content=with_content)
    run = search(server.client(), endpoint)

    spans = collector.wait_for(trace_id(run))

    everything = "".join(str(span) for span in spans)
    assert (SECRET_QUERY in everything) is with_content
    assert (SECRET_FILE in everything) is with_content


def test_keys_in_the_content_are_masked(
    start_server: StartServer, endpoint: ModelEndpoint, collector: Receiver
) -> None:
    server = start_server(
        otel_exporter_otlp_endpoint=collector.url, trace_content=True, embedding_api_key="own-key"
    )
    endpoint.will_call(("get_weather", {"city": f"Oslo {KEY}"}))
    run = ask(server.client(), FUNCTION, instructions="Use own-key.")
    server.client().beta.threads.runs.cancel(run_id=run.id, thread_id=run.thread_id)

    spans = collector.wait_for(trace_id(run))

    everything = "".join(str(span) for span in spans)
    assert "Oslo" in everything
    assert KEY not in everything
    assert "own-key" not in everything


@pytest.mark.parametrize("with_content", [False, True])
def test_content_is_sent_only_when_it_is_wanted(
    with_content: bool,
    start_server: StartServer,
    endpoint: ModelEndpoint,
    collector: Receiver,
) -> None:
    server = start_server(otel_exporter_otlp_endpoint=collector.url, trace_content=with_content)
    run = function(server.client(), endpoint)

    spans = collector.wait_for(trace_id(run))

    everything = "".join(str(span) for span in spans)
    assert (SECRET_QUESTION in everything) is with_content
    assert ("Oslo" in everything) is with_content
    assert ("Sunny" in everything) is with_content


def test_the_run_links_to_its_trace_once_it_arrived(
    server: ThreadServer, client: OpenAI, endpoint: ModelEndpoint, agentops: Receiver
) -> None:
    run = text(client, endpoint)
    agentops.wait_for(trace_id(run))

    with server.http() as http:
        path = f"threads/{run.thread_id}/runs/{run.id}/trace"
        while not (trace := http.get(path).json())["url"]:
            time.sleep(0.02)

    assert trace["url"] == f"https://agentops.test/sessions?trace_id={trace_id(run)}"


def test_a_run_resumed_after_a_restart_keeps_its_trace(
    start_server: StartServer, endpoint: ModelEndpoint, collector: Receiver
) -> None:
    first = start_server(otel_exporter_otlp_endpoint=collector.url)
    endpoint.will_call(("get_weather", {"city": "Oslo"}))
    run = ask(first.client(), FUNCTION)
    first.__exit__(None, None, None)
    assert run.required_action
    [call] = run.required_action.submit_tool_outputs.tool_calls
    endpoint.will_answer(SECRET_ANSWER)

    second = start_server(otel_exporter_otlp_endpoint=collector.url)
    second.client().beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=run.thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": "Sunny"}],
        poll_interval_ms=10,
    )

    spans = collector.wait_for(trace_id(run))
    assert len([span for span in spans if span.name == "model.llm"]) == 2
    assert len([span for span in spans if span.name == "assistant_run.session"]) == 1
