"""`tool_choice` as the model endpoint is told of it."""

from openai import OpenAI

from tests.conftest import StartServer
from tests.doubles.model_endpoint import ModelEndpoint

CODE_INTERPRETER = {"type": "code_interpreter"}


def test_a_built_in_tool_is_forced_by_the_name_that_the_model_knows(
    start_server: StartServer, endpoint: ModelEndpoint
) -> None:
    client: OpenAI = start_server(code_interpreter="auto").client()
    assistant = client.beta.assistants.create(
        model="gpt-4o-mini",
        tools=[CODE_INTERPRETER],  # type: ignore[list-item]
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Compute."}])
    endpoint.will_call(("code_interpreter", {"code": "1 + 1"}))
    endpoint.will_answer("Two.")

    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=assistant.id,
        tool_choice=CODE_INTERPRETER,  # type: ignore[arg-type]
        poll_interval_ms=50,
    )

    assert run.status == "completed", run.last_error
    forced, free = (request.body["tool_choice"] for request in endpoint.requests)
    assert forced == {"type": "function", "function": {"name": "code_interpreter"}}
    assert free == "auto"
