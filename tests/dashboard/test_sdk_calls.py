from openai import OpenAI

from lib.dashboard.sdk_calls import (
    assistant_calls,
    connect_lines,
    message_calls,
    run_calls,
    step_calls,
    thread_calls,
)
from tests.dashboard.objects import message, message_step, run


def executed(code: str, client: OpenAI) -> dict[str, object]:
    names: dict[str, object] = {"client": client}
    exec(code, names)
    return names


def test_the_calls_of_an_assistant_run_as_they_are(client: OpenAI) -> None:
    original = client.beta.assistants.create(
        model="gpt-4o-mini",
        name='A "quoted" name',
        instructions="Line one\nLine two with \\ and ümlauts",
        metadata={"team": "maths"},
        tools=[{"type": "code_interpreter"}],
    )

    names = executed(assistant_calls(original), client)

    assert names["assistant"] == original
    copy = client.beta.assistants.list().data[0]
    same = {"id", "created_at"}
    assert copy.model_dump(exclude=same) == original.model_dump(exclude=same)
    assert copy.id != original.id


def test_the_calls_of_thread_message_run_and_step_run_as_they_are(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o-mini")
    thread = client.beta.threads.create(metadata={"title": "Sums"})
    asked = client.beta.threads.messages.create(thread.id, role="user", content="2 + 2?")
    done = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=20
    )
    step = client.beta.threads.runs.steps.list(done.id, thread_id=thread.id).data[0]

    assert executed(thread_calls(thread), client)["thread"] == thread
    assert executed(message_calls(asked), client)["message"] == asked
    assert executed(step_calls(step), client)["step"] == step
    assert executed(run_calls(done), client)["run"] == done


def test_an_answer_of_the_assistant_is_only_fetched() -> None:
    assert "create" not in message_calls(message("Hi", role="assistant"))


def test_a_step_is_only_fetched() -> None:
    assert "create" not in step_calls(message_step())
    assert "create(" in run_calls(run())


def test_three_lines_connect_any_program() -> None:
    lines = connect_lines("http://localhost:8501/v1", asks_for_key=True).splitlines()

    assert len(lines) == 3
    assert 'base_url="http://localhost:8501/v1", api_key="your key"' in lines[1]
