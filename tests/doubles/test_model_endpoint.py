"""The double speaks as the real endpoints do: OpenAI's own SDK reads every word of it."""

import subprocess
import sys
from collections.abc import AsyncIterator

import httpx2
import pytest
from openai import AsyncOpenAI, BadRequestError
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response

from tests.doubles.model_endpoint import ModelEndpoint


@pytest.fixture
async def sdk(endpoint: ModelEndpoint) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(
        base_url=endpoint.base_url, api_key="any", _strict_response_validation=True
    ) as client:
        yield client


async def test_chat_chunks_are_valid_and_in_the_published_order(
    sdk: AsyncOpenAI, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(("f", {"a": 1}), text="One moment.")

    stream = await sdk.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": "Hi"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [ChatCompletionChunk.model_validate(chunk.to_dict()) async for chunk in stream]

    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "tool_calls"
    assert chunks[-1].usage and chunks[-1].choices == []


async def test_the_sdks_response_stream_assembles_to_the_final_response(
    sdk: AsyncOpenAI, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(("f", {"a": 1}), text="One moment.", reasoning="Hm.")

    async with sdk.responses.stream(model="o4-mini", input="Hi") as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()

    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert final.output_text == "One moment."
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]
    assert final.usage and final.usage.total_tokens > 0


async def test_answers_without_streaming_are_valid_too(
    sdk: AsyncOpenAI, endpoint: ModelEndpoint
) -> None:
    endpoint.default_answer("Hello.")

    chat = await sdk.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "Hi"}]
    )
    response = await sdk.responses.create(model="gpt-4o", input="Hi")

    assert ChatCompletion.model_validate(chat.to_dict()).choices[0].message.content == "Hello."
    assert Response.model_validate(response.to_dict()).output_text == "Hello."


async def test_a_tool_call_that_was_never_answered_is_refused(sdk: AsyncOpenAI) -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}

    with pytest.raises(BadRequestError, match="No tool output found"):
        await sdk.responses.create(model="gpt-4o", input=[call])  # type: ignore[list-item]


async def test_rules_answer_by_what_was_said_last(
    sdk: AsyncOpenAI, endpoint: ModelEndpoint
) -> None:
    endpoint.when("weather", endpoint.script.default)
    endpoint.default_answer("Something else.")

    said = [
        (await sdk.responses.create(model="gpt-4o", input=text)).output_text
        for text in ("How is the weather?", "Hi")
    ]

    assert said == ["Hello from the model.", "Something else."]


def test_in_a_process_of_its_own_it_is_driven_over_http() -> None:
    command = [sys.executable, "-m", "tests.doubles.model_endpoint", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        base = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        httpx2.post(f"{base}/control", json={"queue": [{"text": "From afar."}]})

        answer = httpx2.post(f"{base}/v1/responses", json={"model": "m", "input": "Hi"}).json()
        seen = httpx2.get(f"{base}/control").json()
        process.terminate()

    assert answer["output"][0]["content"][0]["text"] == "From afar."
    assert seen["requests"][0]["body"]["input"] == "Hi"
