import pytest
from openai import NotFoundError, OpenAI
from openai.types.beta import Assistant
from openai.types.beta.threads import Run

from tests.contract.comparison import RECORDED, differences
from tests.doubles.model_endpoint import ModelEndpoint


@pytest.fixture
def finished_run(client: OpenAI, endpoint: ModelEndpoint, thread_id: str) -> Run:
    """A run that called a function and then answered."""
    function = {"name": "get_weather"}
    assistant: Assistant = client.beta.assistants.create(
        model="gpt-4o-mini",
        tools=[{"type": "function", "function": function}],  # type: ignore[typeddict-item]
    )
    endpoint.will_call(("get_weather", {"city": "Oslo"}))
    endpoint.will_answer("It rains.")
    client.beta.threads.messages.create(thread_id, role="user", content="And Oslo?")
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread_id, assistant_id=assistant.id, poll_interval_ms=10
    )
    assert run.required_action, run.last_error
    call = run.required_action.submit_tool_outputs.tool_calls[0]
    return client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": "rain"}],
        poll_interval_ms=10,
    )


def test_steps_tell_the_calls_with_their_outputs_and_the_message(
    client: OpenAI, finished_run: Run
) -> None:
    steps = client.beta.threads.runs.steps.list(
        finished_run.id, thread_id=finished_run.thread_id, order="asc"
    ).data

    calling, answering = steps
    call = calling.step_details.to_dict()["tool_calls"][0]  # type: ignore[index]
    assert call["type"] == "function" and call["id"].startswith("call_")
    assert call["function"] == {
        "name": "get_weather",
        "arguments": '{"city": "Oslo"}',
        "output": "rain",
    }
    assert differences(answering.step_details, RECORDED["message_creation_details"]) == []
    for step in steps:
        assert (step.status, step.type) == ("completed", step.step_details.type)
        assert (step.run_id, step.assistant_id) == (finished_run.id, finished_run.assistant_id)
        assert step.completed_at and step.usage and step.usage.total_tokens > 0


def test_usage_of_the_run_is_the_sum_of_its_steps(client: OpenAI, finished_run: Run) -> None:
    steps = client.beta.threads.runs.steps.list(
        finished_run.id, thread_id=finished_run.thread_id
    ).data

    total = sum(step.usage.total_tokens for step in steps if step.usage)
    assert finished_run.usage and finished_run.usage.total_tokens == total


def test_one_step_is_retrieved(client: OpenAI, finished_run: Run) -> None:
    run_id, thread_id = finished_run.id, finished_run.thread_id
    listed = client.beta.threads.runs.steps.list(run_id, thread_id=thread_id).data[0]

    retrieved = client.beta.threads.runs.steps.retrieve(
        listed.id,
        run_id=run_id,
        thread_id=thread_id,
        include=["step_details.tool_calls[*].file_search.results[*].content"],
    )

    assert retrieved == listed


def test_unknown_steps_and_runs_are_answered_in_the_hosted_words(
    client: OpenAI, finished_run: Run
) -> None:
    with pytest.raises(NotFoundError, match=r"No run step found with id 'step_unknown'\."):
        client.beta.threads.runs.steps.retrieve(
            "step_unknown", run_id=finished_run.id, thread_id=finished_run.thread_id
        )
    with pytest.raises(NotFoundError, match=r"No run found with id 'run_unknown'\."):
        client.beta.threads.runs.steps.list("run_unknown", thread_id=finished_run.thread_id)
