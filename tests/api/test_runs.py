"""The surface of runs; what becomes of a run is told in tests/engine."""

from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.beta import Assistant
from openai.types.beta.threads import Run

from tests.contract.comparison import RECORDED, differences
from tests.doubles.model_endpoint import ModelEndpoint
from tests.servers import ThreadServer

NEVER_ANSWERS: dict[str, Any] = {"initial_delay": 300.0}


@pytest.fixture
def tutor(client: OpenAI) -> Assistant:
    instructions = RECORDED["assistant"]["instructions"]
    return client.beta.assistants.create(model="gpt-4o-mini", instructions=instructions)


@pytest.fixture
def quizzer(client: OpenAI) -> Assistant:
    recorded = RECORDED["assistant_with_function"]
    return client.beta.assistants.create(
        model="gpt-4o-mini", instructions=recorded["instructions"], tools=recorded["tools"][1:]
    )


@pytest.fixture
def busy_run(client: OpenAI, endpoint: ModelEndpoint, tutor: Assistant) -> Run:
    """A run that will be active for as long as a test takes."""
    endpoint.default_answer("too late", **NEVER_ANSWERS)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
    return client.beta.threads.runs.create(thread.id, assistant_id=tutor.id)


def finish(client: OpenAI, thread_id: str, assistant: Assistant, **more: Any) -> Run:
    return client.beta.threads.runs.create_and_poll(
        thread_id=thread_id, assistant_id=assistant.id, poll_interval_ms=10, **more
    )


def test_a_new_run_is_queued_with_the_recorded_fields_and_defaults(
    client: OpenAI, thread_id: str, tutor: Assistant
) -> None:
    run = client.beta.threads.runs.create(thread_id, assistant_id=tutor.id)

    assert differences(run, RECORDED["run_queued"]) == []
    assert run.expires_at == run.created_at + 600


def test_a_completed_run_has_the_recorded_fields(
    client: OpenAI, endpoint: ModelEndpoint, thread_id: str, tutor: Assistant
) -> None:
    endpoint.will_answer("x = 1")

    run = finish(client, thread_id, tutor)

    assert differences(run, RECORDED["run_completed"]) == []


def test_a_waiting_run_has_the_recorded_fields_and_so_has_the_resumed_one(
    client: OpenAI, endpoint: ModelEndpoint, thread_id: str, quizzer: Assistant
) -> None:
    # Both recorded runs had Code Interpreter beside the function.
    function_only = {"tools": RECORDED["run_requires_action"]["tools"][1:]}
    recorded = RECORDED["run_requires_action"] | function_only
    calls = recorded["required_action"]["submit_tool_outputs"]["tool_calls"]
    functions = [call["function"] for call in calls]
    endpoint.will_call(*((function["name"], function["arguments"]) for function in functions))
    endpoint.default_answer("", **NEVER_ANSWERS)

    waiting = finish(client, thread_id, quizzer)
    assert waiting.required_action, waiting.last_error
    resumed = client.beta.threads.runs.submit_tool_outputs(
        waiting.id,
        thread_id=thread_id,
        tool_outputs=[
            {"tool_call_id": call.id, "output": "I don't know"}
            for call in waiting.required_action.submit_tool_outputs.tool_calls
        ],
    )

    assert differences(waiting, recorded) == []
    assert differences(resumed, RECORDED["run_resumed"] | function_only) == []


def test_what_the_run_sets_wins_over_the_assistant(
    client: OpenAI, thread_id: str, quizzer: Assistant
) -> None:
    sent: dict[str, Any] = {
        "model": "gpt-4o",
        "instructions": "Be kind.",
        "tools": [],
        "metadata": {"a": "1"},
        "temperature": 0.5,
        "top_p": 0.9,
        "max_prompt_tokens": 256,
        "max_completion_tokens": 300,
        "truncation_strategy": {"type": "last_messages", "last_messages": 5},
        "tool_choice": "none",
        "parallel_tool_calls": False,
        "response_format": {"type": "json_object"},
        "reasoning_effort": "low",
    }

    run = client.beta.threads.runs.create(thread_id, assistant_id=quizzer.id, **sent)

    assert {name: run.to_dict()[name] for name in sent} == sent


def test_nulls_mean_what_the_assistant_says(
    server: ThreadServer, client: OpenAI, thread_id: str
) -> None:
    assistant = client.beta.assistants.create(
        model="gpt-4o", instructions="Be kind.", temperature=0.5, top_p=0.25
    )
    fields = ("model", "instructions", "additional_instructions", "additional_messages", "tools")
    more = ("metadata", "temperature", "top_p", "max_prompt_tokens", "max_completion_tokens")
    rest = ("truncation_strategy", "tool_choice", "parallel_tool_calls", "response_format")
    nulls = dict.fromkeys((*fields, *more, *rest, "reasoning_effort", "stream"))

    with server.http() as http:
        body = nulls | {"assistant_id": assistant.id}
        run = http.post(f"threads/{thread_id}/runs", json=body).json()

    assert (run["model"], run["instructions"]) == ("gpt-4o", "Be kind.")
    assert (run["temperature"], run["top_p"], run["tools"]) == (0.5, 0.25, [])
    assert (run["tool_choice"], run["parallel_tool_calls"], run["metadata"]) == ("auto", True, {})


def test_additional_instructions_and_messages_reach_the_model(
    client: OpenAI, endpoint: ModelEndpoint, thread_id: str, tutor: Assistant
) -> None:
    run = finish(
        client,
        thread_id,
        tutor,
        additional_instructions="Speak Latin.",
        additional_messages=[{"role": "user", "content": "Quid novi?"}],
    )

    assert run.instructions == f"{tutor.instructions}\nSpeak Latin."
    assert endpoint.last["messages"] == [
        {"role": "system", "content": f"{tutor.instructions}\nSpeak Latin."},
        {"role": "user", "content": "Quid novi?"},
    ]
    assert len(client.beta.threads.messages.list(thread_id).data) == 2


def test_a_thread_and_its_run_are_created_together(client: OpenAI, tutor: Assistant) -> None:
    store_id = client.vector_stores.create().id
    run = client.beta.threads.create_and_run_poll(
        assistant_id=tutor.id,
        thread={
            "messages": [{"role": "user", "content": "Hello"}],
            "metadata": {"kind": "thread"},
            "tool_resources": {"code_interpreter": {"file_ids": ["file-1"]}},
        },
        tool_resources={"file_search": {"vector_store_ids": [store_id]}},
        metadata={"kind": "run"},
        poll_interval_ms=10,
    )

    thread = client.beta.threads.retrieve(run.thread_id).to_dict()
    assert (run.status, run.metadata) == ("completed", {"kind": "run"})
    assert thread["metadata"] == {"kind": "thread"}
    assert thread["tool_resources"] == {
        "code_interpreter": {"file_ids": ["file-1"]},
        "file_search": {"vector_store_ids": [store_id]},
    }


def test_a_run_for_an_unknown_assistant_leaves_nothing_behind(
    server: ThreadServer, client: OpenAI, thread_id: str
) -> None:
    with pytest.raises(NotFoundError, match=r"No assistant found with id 'asst_unknown'\."):
        client.beta.threads.runs.create(
            thread_id,
            assistant_id="asst_unknown",
            additional_messages=[{"role": "user", "content": "Hello"}],
        )
    with pytest.raises(NotFoundError):
        client.beta.threads.create_and_run(assistant_id="asst_unknown")

    assert client.beta.threads.messages.list(thread_id).data == []
    assert client.beta.threads.runs.list(thread_id).data == []
    with server.http() as http:
        assert http.get("threads?limit=1").json()["first_id"] == thread_id


def test_runs_of_a_thread_are_listed_newest_first(
    client: OpenAI, thread_id: str, tutor: Assistant
) -> None:
    first = finish(client, thread_id, tutor)
    second = finish(client, thread_id, tutor)

    runs = client.beta.threads.runs.list(thread_id).data

    assert [run.id for run in runs] == [second.id, first.id]


def test_only_the_metadata_of_a_run_changes(
    client: OpenAI, thread_id: str, tutor: Assistant
) -> None:
    run = finish(client, thread_id, tutor)

    updated = client.beta.threads.runs.update(
        run.id, thread_id=thread_id, metadata={"rating": "good"}
    )

    assert updated.to_dict() == run.to_dict() | {"metadata": {"rating": "good"}}


def test_a_busy_thread_refuses_a_second_run_and_messages(client: OpenAI, busy_run: Run) -> None:
    thread_id = busy_run.thread_id

    with pytest.raises(BadRequestError) as second_run:
        client.beta.threads.runs.create(thread_id, assistant_id=busy_run.assistant_id)
    with pytest.raises(BadRequestError) as message:
        client.beta.threads.messages.create(thread_id, role="user", content="And …")

    assert second_run.value.body == {
        "message": f"Thread {thread_id} already has an active run {busy_run.id}.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
    assert message.value.body == {
        "message": f"Can't add messages to {thread_id} while a run {busy_run.id} is active.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
    assert len(client.beta.threads.messages.list(thread_id).data) == 1


@pytest.mark.parametrize("call", ["retrieve", "update", "cancel"])
def test_an_unknown_run_is_answered_in_the_hosted_words(
    client: OpenAI, thread_id: str, call: str
) -> None:
    with pytest.raises(NotFoundError, match=r"No run found with id 'run_unknown'\."):
        getattr(client.beta.threads.runs, call)("run_unknown", thread_id=thread_id)


def test_a_run_is_found_in_its_own_thread_only(
    client: OpenAI, thread_id: str, busy_run: Run
) -> None:
    for call in ("retrieve", "update", "cancel"):
        with pytest.raises(NotFoundError, match=rf"No run found with id '{busy_run.id}'\."):
            getattr(client.beta.threads.runs, call)(busy_run.id, thread_id=thread_id)


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"assistant_id": None}, "assistant_id", "invalid_type"),
        ({"assistant_id": 7}, "assistant_id", "invalid_type"),
        ({"temperature": 2.1}, "temperature", "decimal_above_max_value"),
        ({"temperature": -1}, "temperature", "decimal_below_min_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"temperature": True}, "temperature", "invalid_type"),
        ({"top_p": 1.5}, "top_p", "decimal_above_max_value"),
        ({"max_prompt_tokens": 255}, "max_prompt_tokens", "integer_below_min_value"),
        ({"max_completion_tokens": 10**30}, "max_completion_tokens", "integer_above_max_value"),
        ({"max_prompt_tokens": 10**30}, "max_prompt_tokens", "integer_above_max_value"),
        ({"max_prompt_tokens": 300.5}, "max_prompt_tokens", "invalid_type"),
        ({"truncation_strategy": {"type": "never"}}, "truncation_strategy.type", "invalid_value"),
        (
            {"truncation_strategy": {"type": "last_messages"}},
            "truncation_strategy",
            "invalid_value",
        ),
        (
            {"truncation_strategy": {"type": "last_messages", "last_messages": 0}},
            "truncation_strategy.last_messages",
            "integer_below_min_value",
        ),
        ({"tool_choice": "always"}, "tool_choice", "invalid_value"),
        ({"tool_choice": {"type": "function"}}, "tool_choice", "invalid_value"),
        ({"tool_choice": {"type": "magic"}}, "tool_choice.type", "invalid_value"),
        ({"parallel_tool_calls": "yes"}, "parallel_tool_calls", "invalid_type"),
        ({"response_format": "json"}, "response_format", "invalid_value"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
        (
            {"response_format": {"type": "json_schema"}},
            "response_format.json_schema",
            "missing_required_parameter",
        ),
        ({"reasoning_effort": "huge"}, "reasoning_effort", "invalid_value"),
        ({"tools": [{"type": "retrieval"}]}, "tools[0].type", "invalid_value"),
        ({"tools": [{"type": "code_interpreter"}] * 21}, "tools", "array_above_max_length"),
        (
            {"tools": [{"type": "function", "function": {"name": "no spaces"}}]},
            "tools[0].function.name",
            "invalid_value",
        ),
        ({"instructions": "x" * 256_001}, "instructions", "string_above_max_length"),
        (
            {"additional_messages": [{"role": "robot", "content": "x"}]},
            "additional_messages[0].role",
            "invalid_value",
        ),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"expires_after": 0}, "expires_after", "integer_below_min_value"),
    ],
)
def test_an_invalid_run_is_refused_with_the_field_and_a_code(
    client: OpenAI,
    thread_id: str,
    tutor: Assistant,
    body: dict[str, Any],
    param: str,
    code: str,
) -> None:
    with pytest.raises(BadRequestError) as caught:
        sent = {"assistant_id": tutor.id} | body
        client.post(f"/threads/{thread_id}/runs", body=sent, cast_to=object)

    assert (caught.value.param, caught.value.code) == (param, code)
    assert client.beta.threads.runs.list(thread_id).data == []


def test_a_missing_assistant_id_is_named(server: ThreadServer, thread_id: str) -> None:
    with server.http() as http:
        error = http.post(f"threads/{thread_id}/runs", json={}).json()["error"]

    assert error == {
        "message": "Missing required parameter: 'assistant_id'.",
        "type": "invalid_request_error",
        "param": "assistant_id",
        "code": "missing_required_parameter",
    }


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "tool_outputs"),
        ({"tool_outputs": None}, "tool_outputs"),
        ({"tool_outputs": [{"output": "x"}]}, "tool_outputs[0].tool_call_id"),
        ({"tool_outputs": [{"tool_call_id": "x", "output": 5}]}, "tool_outputs[0].output"),
    ],
)
def test_invalid_tool_outputs_are_refused_with_the_field(
    client: OpenAI, busy_run: Run, body: dict[str, Any], param: str
) -> None:
    path = f"/threads/{busy_run.thread_id}/runs/{busy_run.id}/submit_tool_outputs"

    with pytest.raises(BadRequestError) as caught:
        client.post(path, body=body, cast_to=object)

    assert caught.value.param == param


# --- all runs of the server, an extension ------------------------------------------------------


def test_all_runs_are_listed_with_titles_and_the_model_that_answered(
    server: ThreadServer, client: OpenAI, thread_id: str
) -> None:
    assistant = client.beta.assistants.create(model="gpt-4-1106-preview", name="Math Tutor")
    client.beta.threads.messages.create(thread_id, role="user", content="Explain algebra")
    run = finish(client, thread_id, assistant)

    with server.http() as http:
        page = http.get("runs", params={"assistant_id": assistant.id}).json()

    listed = page["data"][0]
    assert listed["id"] == page["first_id"] == run.id
    assert (listed["model"], listed["answered_by"]) == ("gpt-4-1106-preview", "gpt-4o-mini")
    assert (listed["thread_title"], listed["assistant_name"]) == ("Explain algebra", "Math Tutor")
    assert listed["step_count"] == 1


def test_runs_are_filtered(
    server: ThreadServer, client: OpenAI, tutor: Assistant, busy_run: Run
) -> None:
    done = client.beta.threads.create_and_run(assistant_id=tutor.id)
    client.beta.threads.runs.cancel(done.id, thread_id=done.thread_id)
    client.beta.threads.runs.poll(done.id, thread_id=done.thread_id, poll_interval_ms=10)

    def found(**filters: Any) -> list[str]:
        with server.http() as http:
            answer = http.get("runs", params={"assistant_id": tutor.id} | filters)
            assert answer.status_code == 200, answer.text
            return [run["id"] for run in answer.json()["data"]]

    assert found() == [done.id, busy_run.id]
    assert found(status="cancelled") == [done.id]
    assert found(status=["in_progress", "queued", "cancelled"]) == [done.id, busy_run.id]
    assert found(thread_id=busy_run.thread_id) == [busy_run.id]
    assert found(created_after=done.created_at + 100) == []
    assert found(created_before=done.created_at + 100) == [done.id, busy_run.id]
    assert found(created_before=2**63 - 1) == [done.id, busy_run.id]
    assert found(assistant_id="asst_unknown") == []
