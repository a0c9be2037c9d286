"""What becomes of a run: completed, incomplete or failed."""

import asyncio
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta import Assistant, Thread

from tests.conftest import StartServer
from tests.contract.comparison import RECORDED
from tests.doubles.model_endpoint import ModelEndpoint
from tests.doubles.model_wire import Answer
from tests.engine.conftest import Ask, last_message, text_of
from tests.servers import ThreadServer

TUTOR = RECORDED["assistant"]["instructions"]
QUIZ = RECORDED["assistant_with_function"]["tools"][1]


def test_the_overview_from_the_assistant_to_the_second_turn(
    client: OpenAI, endpoint: ModelEndpoint
) -> None:
    """Rows 1 to 6 of the overview notebook."""
    endpoint.when("Can you help me", Answer(text="x = 1", initial_delay=0.1))
    endpoint.when("explain this", Answer(text="Subtract 11, divide by 3."))
    endpoint.when("linear algebra", Answer(text="Vectors."))
    endpoint.when("don't like math", Answer(text="Try games."))
    endpoint.when("Thank you", Answer(text="You're welcome!"))
    runs, threads = client.beta.threads.runs, client.beta.threads
    tutor = client.beta.assistants.create(
        name="Math Tutor", instructions=TUTOR, model="gpt-4o-mini"
    )

    def submit(thread_id: str, text: str) -> Any:
        threads.messages.create(thread_id=thread_id, role="user", content=text)
        return runs.create(thread_id=thread_id, assistant_id=tutor.id)

    def texts(thread_id: str, **more: Any) -> list[str]:
        page = threads.messages.list(thread_id=thread_id, order="asc", **more)
        return [text_of(message) for message in page]

    first = threads.create()
    message = threads.messages.create(
        thread_id=first.id, role="user", content="I need to solve it. Can you help me?"
    )
    run = runs.create(thread_id=first.id, assistant_id=tutor.id)
    statuses = [run.status]
    run = runs.poll(run.id, thread_id=first.id, poll_interval_ms=5)
    statuses.append(run.status)
    assert statuses == ["queued", "completed"]
    assert run.usage and run.usage.total_tokens > 0
    assert texts(first.id, after=message.id) == ["x = 1"]

    message = threads.messages.create(
        thread_id=first.id, role="user", content="Could you explain this to me?"
    )
    run = runs.create_and_poll(thread_id=first.id, assistant_id=tutor.id, poll_interval_ms=5)
    assert texts(first.id, after=message.id) == ["Subtract 11, divide by 3."]

    questions = ("I need to solve `3x`. Can you help me?", "linear algebra?", "I don't like math.")
    asked = [(threads.create().id, question) for question in questions]
    started = [submit(thread_id, question) for thread_id, question in asked]
    for run in started:
        assert runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=5).status == "completed"
    third = submit(asked[2][0], "Thank you!")
    runs.poll(third.id, thread_id=third.thread_id, poll_interval_ms=5)
    assert [texts(thread_id) for thread_id, _ in asked] == [
        [questions[0], "x = 1"],
        [questions[1], "Vectors."],
        [questions[2], "Try games.", "Thank you!", "You're welcome!"],
    ]


def test_the_overviews_quiz_with_its_two_calls(client: OpenAI, endpoint: ModelEndpoint) -> None:
    """Rows 10 to 12 of the overview notebook."""
    recorded = RECORDED["run_requires_action"]["required_action"]["submit_tool_outputs"]
    arguments = [call["function"]["arguments"] for call in recorded["tool_calls"]]
    endpoint.will_call(*(("display_quiz", text) for text in arguments))
    endpoint.will_answer("Well done.")
    tutor = client.beta.assistants.create(instructions=TUTOR, model="gpt-4o-mini", tools=[QUIZ])

    run = client.beta.threads.create_and_run_poll(
        assistant_id=tutor.id,
        thread={"messages": [{"role": "user", "content": "Make a quiz"}]},
        poll_interval_ms=5,
    )
    assert run.status == "requires_action" and run.required_action
    calls = run.required_action.submit_tool_outputs.tool_calls
    assert [call.function.arguments for call in calls] == arguments
    run = client.beta.threads.runs.submit_tool_outputs(
        thread_id=run.thread_id,
        run_id=run.id,
        tool_outputs=[{"tool_call_id": call.id, "output": '["idk", "a"]'} for call in calls],
    )
    assert (run.status, run.required_action) == ("queued", None)
    run = client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=5)

    assert run.status == "completed"
    assert text_of(last_message(client, run.thread_id)) == "Well done."


async def test_twenty_threads_at_once_do_not_mix(
    server: ThreadServer, endpoint: ModelEndpoint, assistant: Assistant
) -> None:
    for number in range(20):
        endpoint.when(f"Question {number}.", Answer(text=f"Answer {number}."))

    async with server.async_client() as client:

        async def ask(number: int) -> str:
            run = await client.beta.threads.create_and_run_poll(
                assistant_id=assistant.id,
                thread={"messages": [{"role": "user", "content": f"Question {number}."}]},
                poll_interval_ms=50,
            )
            page = await client.beta.threads.messages.list(run.thread_id, limit=1)
            return text_of(page.data[0])

        answers = await asyncio.gather(*(ask(number) for number in range(20)))

    assert answers == [f"Answer {number}." for number in range(20)]


def test_every_setting_of_the_run_reaches_the_model(endpoint: ModelEndpoint, ask: Ask) -> None:
    run = ask(
        instructions="Be kind.",
        temperature=0.3,
        top_p=0.8,
        max_completion_tokens=500,
        tools=[QUIZ],
        tool_choice={"type": "function", "function": {"name": "display_quiz"}},
        parallel_tool_calls=False,
        response_format={"type": "json_object"},
        model="o4-mini",
        reasoning_effort="low",
    )

    assert run.status == "completed", run.last_error
    body = endpoint.last
    said = body.get("messages") or body["input"]
    assert said[0] == {"role": "system", "content": "Be kind."}
    assert (body["temperature"], body["top_p"], body["model"]) == (0.3, 0.8, "o4-mini")
    assert body.get("max_completion_tokens") or body["max_output_tokens"] == 500
    assert body["parallel_tool_calls"] is False
    assert "display_quiz" in str(body["tools"]) and "display_quiz" in str(body["tool_choice"])
    assert "json_object" in str(body.get("response_format") or body["text"])
    assert "low" in str(body.get("reasoning_effort") or body["reasoning"])


def test_a_model_nobody_knows_is_answered_by_the_default_and_echoed(
    endpoint: ModelEndpoint, ask: Ask
) -> None:
    run = ask(model="gpt-4-1106-preview")

    assert (run.status, run.model) == ("completed", "gpt-4-1106-preview")
    assert endpoint.last["model"] == "gpt-4o-mini"


def test_usage_is_what_the_endpoint_counted(endpoint: ModelEndpoint, ask: Ask) -> None:
    endpoint.will_answer(
        "x = 1", prompt_tokens=66, completion_tokens=36, cached_tokens=10, reasoning_tokens=5
    )

    run = ask()

    assert run.usage and run.usage.to_dict() == {
        "prompt_tokens": 66,
        "completion_tokens": 36,
        "total_tokens": 102,
        "prompt_token_details": {"cached_tokens": 10},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }


# --- incomplete --------------------------------------------------------------------------------


def test_the_completion_limit_ends_the_run_incomplete_with_what_was_said(
    client: OpenAI, endpoint: ModelEndpoint, ask: Ask
) -> None:
    endpoint.will_answer("", tokens=400)

    run = ask(max_completion_tokens=256)

    assert run.status == "incomplete"
    assert run.incomplete_details and run.incomplete_details.reason == "max_completion_tokens"
    assert run.usage and run.usage.completion_tokens == 256
    message = last_message(client, run.thread_id)
    assert message.status == "incomplete" and message.incomplete_at
    assert message.incomplete_details and message.incomplete_details.reason == "max_tokens"
    assert text_of(message).startswith("word0 word1") and text_of(message).endswith("word255")


def test_the_completion_limit_counts_all_rounds(
    client: OpenAI, endpoint: ModelEndpoint, caller: Assistant, ask: Ask
) -> None:
    endpoint.will_call(("get_time", {}), completion_tokens=250)
    endpoint.will_answer("", tokens=100)

    run = ask(assistant_id=caller.id, max_completion_tokens=256)
    assert run.required_action, run.last_error
    call = run.required_action.submit_tool_outputs.tool_calls[0]
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=run.thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": "noon"}],
        poll_interval_ms=5,
    )

    assert run.status == "incomplete", run.last_error
    assert run.incomplete_details and run.incomplete_details.reason == "max_completion_tokens"


def test_a_question_longer_than_the_prompt_limit_ends_the_run_incomplete(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, ask: Ask
) -> None:
    client.beta.threads.messages.create(thread.id, role="user", content="why " * 300)

    run = ask(max_prompt_tokens=256)

    assert run.status == "incomplete"
    assert run.incomplete_details and run.incomplete_details.reason == "max_prompt_tokens"
    assert endpoint.requests == []


# --- failed ------------------------------------------------------------------------------------

MID_STREAM: Any = {"text": "one two three four", "fault_after": 2}


@pytest.mark.parametrize(
    ("answer", "code", "sentence"),
    [
        (Answer(status=401), "server_error", "MODEL_API_KEY"),
        (Answer(status=429, headers={"x-should-retry": "false"}), "rate_limit_exceeded", "limit"),
        (Answer(status=500, headers={"x-should-retry": "false"}), "server_error", "failed (500)"),
        (Answer(status=400), "invalid_prompt", "rejected the request (400)"),
        (Answer(fault="html"), "server_error", "cannot be read"),
        (Answer(fault="break", **MID_STREAM), "server_error", "broke off"),
        (Answer(fault="reset", **MID_STREAM), "server_error", "broke off"),
        (Answer(fault="garbage", **MID_STREAM), "server_error", "cannot be read"),
        (Answer(fault="error_event", **MID_STREAM), "server_error", ""),
    ],
    ids=["key", "rate", "500", "400", "html", "break", "reset", "garbage", "error event"],
)
def test_what_goes_wrong_at_the_endpoint_fails_the_run_with_a_sentence(
    client: OpenAI,
    endpoint: ModelEndpoint,
    ask: Ask,
    answer: Answer,
    code: str,
    sentence: str,
) -> None:
    endpoint.will(answer)

    run = ask()

    assert run.status == "failed" and run.failed_at and run.expires_at is None
    assert run.last_error and run.last_error.code == code
    assert sentence in run.last_error.message
    assert run.last_error.message.endswith(".") and "Traceback" not in run.last_error.message
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert [step.status for step in steps] == (["failed"] if answer.fault_after else [])
    if answer.fault_after:
        message = last_message(client, run.thread_id)
        assert (message.status, text_of(message)) == ("incomplete", "one two")
        assert message.incomplete_details and message.incomplete_details.reason == "run_failed"


def test_an_endpoint_that_cannot_be_reached_fails_the_run(start_server: StartServer) -> None:
    client = start_server(model_base_url="http://127.0.0.1:9/v1").client()
    assistant = client.beta.assistants.create(model="gpt-4o-mini", instructions="Hi")

    run = client.beta.threads.create_and_run_poll(assistant_id=assistant.id, poll_interval_ms=20)

    assert run.status == "failed" and run.last_error
    assert "cannot be reached" in run.last_error.message
    assert "MODEL_BASE_URL" in run.last_error.message


@pytest.mark.parametrize("answer", [Answer(fault="hang"), Answer(fault="stall", **MID_STREAM)])
def test_an_endpoint_that_falls_silent_fails_the_run(
    start_server: StartServer, endpoint: ModelEndpoint, answer: Answer
) -> None:
    client = start_server(model_timeout=0.3).client()
    assistant = client.beta.assistants.create(model="gpt-4o-mini", instructions="Hi")
    endpoint.will(answer)

    run = client.beta.threads.create_and_run_poll(assistant_id=assistant.id, poll_interval_ms=20)

    assert run.status == "failed" and run.last_error
    assert "0.3 seconds" in run.last_error.message


def test_the_content_filter_fails_the_run_and_keeps_what_was_said(
    client: OpenAI, endpoint: ModelEndpoint, ask: Ask
) -> None:
    endpoint.will_answer("Once upon a", finish="content_filter")

    run = ask()

    assert run.status == "failed" and run.last_error
    assert run.last_error.code == "server_error" and "content filter" in run.last_error.message
    message = last_message(client, run.thread_id)
    assert (message.status, text_of(message)) == ("incomplete", "Once upon a")
    assert message.incomplete_details and message.incomplete_details.reason == "content_filter"


def test_a_thread_goes_on_after_a_failed_run(
    client: OpenAI, endpoint: ModelEndpoint, ask: Ask
) -> None:
    endpoint.will_fail(400)
    endpoint.will_answer("Here I am.")

    assert ask().status == "failed"
    run = ask()

    assert run.status == "completed"
    assert text_of(last_message(client, run.thread_id)) == "Here I am."


def test_a_feature_that_the_endpoint_lacks_is_named(endpoint: ModelEndpoint, ask: Ask) -> None:
    text = "Invalid parameter: 'text.format' of type 'json_object' is not supported."
    endpoint.will_fail(400, message=text)

    run = ask(response_format={"type": "json_object"})

    assert run.status == "failed" and run.last_error
    assert "response_format" in run.last_error.message
