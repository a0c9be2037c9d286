"""What the model is shown of a thread."""

from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta import Assistant

from tests.conftest import StartServer
from tests.doubles.model_endpoint import ModelEndpoint, model_entry
from tests.doubles.model_wire import Answer


def shown(endpoint: ModelEndpoint) -> list[tuple[str, str]]:
    """Role and text of what the model was last shown."""
    said = endpoint.last.get("messages") or endpoint.last["input"]
    return [(item["role"], _text(item["content"])) for item in said]


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def run_with(client: OpenAI, assistant: Assistant, texts: list[str], **more: Any) -> Any:
    messages: Any = [
        {"role": "assistant" if number % 2 else "user", "content": text}
        for number, text in enumerate(texts)
    ]
    return client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": messages}, poll_interval_ms=5, **more
    )


def test_a_thread_is_shown_whole_and_in_order(
    client: OpenAI, endpoint: ModelEndpoint, assistant: Assistant
) -> None:
    run_with(client, assistant, ["one", "two", "three"], instructions="Count.")

    assert shown(endpoint) == [
        ("system", "Count."),
        ("user", "one"),
        ("assistant", "two"),
        ("user", "three"),
    ]


@pytest.mark.parametrize("count", [1, 2, 4, 100])
def test_only_the_last_messages_are_shown_when_asked(
    client: OpenAI, endpoint: ModelEndpoint, assistant: Assistant, count: int
) -> None:
    texts = ["one", "two", "three", "four", "five"]

    run_with(
        client,
        assistant,
        texts,
        truncation_strategy={"type": "last_messages", "last_messages": count},
    )

    assert [text for _, text in shown(endpoint)] == texts[-count:]


def test_the_oldest_leave_first_and_the_newest_never_under_a_prompt_limit(
    client: OpenAI, endpoint: ModelEndpoint, assistant: Assistant
) -> None:
    texts = [f"{number} " + "word " * 60 for number in range(9)]

    run = run_with(client, assistant, texts, max_prompt_tokens=300)

    kept = [text for _, text in shown(endpoint)]
    assert run.status == "completed"
    assert 0 < len(kept) < len(texts)
    assert kept == texts[-len(kept) :]


def test_the_oldest_leave_when_the_models_window_is_small(
    start_server: StartServer, endpoint: ModelEndpoint
) -> None:
    endpoint.lists_models(model_entry("tiny", context_window=400))
    client = start_server().client()
    assistant = client.beta.assistants.create(model="tiny")
    texts = [f"{number} " + "word " * 60 for number in range(9)]

    run = run_with(client, assistant, texts)

    kept = [text for _, text in shown(endpoint)]
    assert run.status == "completed"
    assert 0 < len(kept) < len(texts) and kept == texts[-len(kept) :]


def test_an_endpoint_that_finds_the_conversation_too_long_gets_less(
    client: OpenAI, endpoint: ModelEndpoint, assistant: Assistant
) -> None:
    endpoint.will_fail(400, "context_length_exceeded", "maximum context length is 10 tokens")
    endpoint.will_answer("Now it fits.")
    texts = ["one", "two", "three", "four", "five"]

    run = run_with(client, assistant, texts)

    assert run.status == "completed"
    assert [text for _, text in shown(endpoint)] == texts[2:]


def test_a_newest_message_that_never_fits_fails_the_run_with_a_cure(
    client: OpenAI, endpoint: ModelEndpoint, assistant: Assistant
) -> None:
    endpoint.script.default = Answer(
        status=400,
        error={"error": {"message": "too long", "code": "context_length_exceeded"}},
    )

    run = run_with(client, assistant, ["one", "two", "three"])

    assert run.status == "failed" and run.last_error
    assert run.last_error.code == "invalid_prompt"
    assert "too long" in run.last_error.message


def test_images_are_passed_to_the_model(
    client: OpenAI, endpoint: ModelEndpoint, assistant: Assistant
) -> None:
    url = "https://example.com/a.png"

    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is this?"},
                        {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
                    ],
                }
            ]
        },
        poll_interval_ms=5,
    )

    assert run.status == "completed"
    assert url in str(endpoint.last) and "low" in str(endpoint.last)
