"""Function calls: answered by callers, and run by the server where the assistant lets it."""

import json
from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError, OpenAI
from openai.types.beta import Assistant
from openai.types.beta.threads import Run
from openai.types.beta.threads.runs import ToolCallsStepDetails

from tests.conftest import StartServer
from tests.doubles.model_endpoint import ModelEndpoint

SOURCE = """
def add(first: int, second: int) -> int:
    return first + second

def fail() -> str:
    raise ValueError("no such room")
"""


@pytest.fixture
def office(start_server: StartServer, tmp_path: Path) -> OpenAI:
    """A client of a server with a folder of functions."""
    folder = tmp_path / "functions"
    folder.mkdir()
    (folder / "office.py").write_text(SOURCE)
    return start_server(functions_dir=folder).client()


def function(name: str, **more: Any) -> Any:
    parameters = {"type": "object", "properties": {}}
    return {"type": "function", "function": {"name": name, "parameters": parameters, **more}}


def ask(client: OpenAI, assistant: Assistant) -> Run:
    return client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Please"}]},
        poll_interval_ms=10,
    )


def waiting_calls(run: Run) -> list[str]:
    assert run.required_action is not None
    return [call.function.name for call in run.required_action.submit_tool_outputs.tool_calls]


def step_calls(client: OpenAI, run: Run) -> list[dict[str, Any]]:
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc")
    return [
        call.to_dict()
        for step in steps
        if isinstance(step.step_details, ToolCallsStepDetails)
        for call in step.step_details.tool_calls
    ]


def test_a_result_schema_is_kept_and_echoed_and_never_sent_to_the_model(
    client: OpenAI, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(("ask_approval", {}))
    tool = function("ask_approval", result_schema={"type": "boolean"}, run="ask")
    assistant = client.beta.assistants.create(model="gpt-4o-mini", tools=[tool])

    run = ask(client, assistant)

    echoed = {"type": "function", "function": {**tool["function"], "strict": False}}
    assert [one.to_dict() for one in assistant.tools] == [echoed]
    assert [one.to_dict() for one in run.tools] == [echoed]
    assert "result_schema" not in json.dumps(endpoint.last["tools"])
    assert '"run"' not in json.dumps(endpoint.last["tools"])


def test_the_step_keeps_who_answered_and_when(client: OpenAI, endpoint: ModelEndpoint) -> None:
    endpoint.will_call(("ask", {}), ("ask", {}))
    endpoint.will_answer("Thank you.")
    assistant = client.beta.assistants.create(model="gpt-4o-mini", tools=[function("ask")])
    run = ask(client, assistant)
    assert run.required_action is not None
    first, second = run.required_action.submit_tool_outputs.tool_calls

    client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=run.thread_id,
        tool_outputs=[
            {"tool_call_id": first.id, "output": "yes", "answered_by": "dashboard"},  # type: ignore[typeddict-unknown-key]
            {"tool_call_id": second.id, "output": "no"},
        ],
        poll_interval_ms=10,
    )

    by_dashboard, by_program = step_calls(client, run)
    assert by_dashboard["answered"]["by"] == "dashboard"
    assert by_dashboard["answered"]["at"] >= run.created_at
    assert "answered" not in by_program


def test_a_function_that_may_runs_by_itself(office: OpenAI, endpoint: ModelEndpoint) -> None:
    endpoint.will_call(("add", {"first": 40, "second": 2}))
    endpoint.will_answer("It is 42.")
    assistant = office.beta.assistants.create(
        model="gpt-4o-mini", tools=[function("add", run="auto")]
    )

    run = ask(office, assistant)

    [call] = step_calls(office, run)
    assert run.status == "completed", run.last_error
    assert call["function"]["output"] == "42"
    assert call["answered"]["by"] == "server"
    assert endpoint.last["messages"][-1]["content"] == "42"


def test_a_function_that_was_not_allowed_to_waits_for_a_person(
    office: OpenAI, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(("add", {"first": 40, "second": 2}))
    assistant = office.beta.assistants.create(model="gpt-4o-mini", tools=[function("add")])

    run = ask(office, assistant)

    assert waiting_calls(run) == ["add"]


def test_what_runs_by_itself_runs_and_the_rest_of_the_round_waits(
    office: OpenAI, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(("ask", {}), ("add", {"first": 1, "second": 2}), ("ask", {}))
    endpoint.will_answer("Done.")
    assistant = office.beta.assistants.create(
        model="gpt-4o-mini", tools=[function("ask"), function("add", run="auto")]
    )

    run = ask(office, assistant)

    assert waiting_calls(run) == ["ask", "ask"]
    assert run.required_action is not None
    calls = run.required_action.submit_tool_outputs.tool_calls
    run = office.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=run.thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": call.id} for call in calls],
        poll_interval_ms=10,
    )
    assert run.status == "completed"
    told = [message["content"] for message in endpoint.last["messages"][-3:]]
    assert told == [calls[0].id, "3", calls[1].id]


def test_a_call_that_ran_by_itself_takes_no_other_output(
    office: OpenAI, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(("ask", {}), ("add", {"first": 1, "second": 2}))
    assistant = office.beta.assistants.create(
        model="gpt-4o-mini", tools=[function("ask"), function("add", run="auto")]
    )
    run = ask(office, assistant)
    outputs: Any = [{"tool_call_id": call["id"], "output": "7"} for call in step_calls(office, run)]

    with pytest.raises(BadRequestError, match="Expected tool outputs for call_ids"):
        office.beta.threads.runs.submit_tool_outputs(
            run.id, thread_id=run.thread_id, tool_outputs=outputs
        )


def test_an_error_of_a_function_is_its_output_and_never_a_failed_run(
    office: OpenAI, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(("fail", {}))
    endpoint.will_answer("There is no such room.")
    assistant = office.beta.assistants.create(
        model="gpt-4o-mini", tools=[function("fail", run="auto")]
    )

    run = ask(office, assistant)

    assert run.status == "completed"
    assert endpoint.last["messages"][-1]["content"] == (
        "The function failed: ValueError: no such room"
    )


def test_a_function_that_the_server_does_not_have_waits_for_a_person(
    office: OpenAI, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(("subtract", {}))
    assistant = office.beta.assistants.create(
        model="gpt-4o-mini", tools=[function("subtract", run="auto")]
    )

    run = ask(office, assistant)

    assert waiting_calls(run) == ["subtract"]


def test_a_run_is_found_by_its_id_alone(client: OpenAI, assistant: Assistant) -> None:
    run = ask(client, assistant)

    found = client.get(f"/runs/{run.id}", cast_to=Run)

    assert found.to_dict() == run.to_dict()
