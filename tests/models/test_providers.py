"""What both providers of endpoints do alike, against a double that speaks both APIs."""

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

import pytest

from lib.models.provider import (
    AssistantTurn,
    ImagePart,
    ModelError,
    ModelProvider,
    TextPart,
    ToolCall,
    ToolRound,
    Usage,
    UserTurn,
)
from tests.doubles.model_endpoint import ModelEndpoint
from tests.models.conftest import WEATHER, asking, reply_of

NAMED = {"type": "function", "function": {"name": "get_weather"}}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "answer",
        "strict": True,
        "schema": {"type": "object", "properties": {"x": {"type": "number"}}},
    },
}


async def test_text_streams_in_order_with_usage_and_model(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.will_answer(
        "x equals 1. Grüße 👋",
        model="gpt-4o-mini-2024-07-18",
        prompt_tokens=40,
        completion_tokens=9,
        cached_tokens=32,
        reasoning_tokens=4,
    )

    reply = await reply_of(provider, asking())

    assert reply.text == "x equals 1. Grüße 👋"
    assert reply.end.reason == "stop"
    assert reply.end.usage == Usage(prompt=40, completion=9, cached=32, reasoning=4)
    assert reply.end.model == "gpt-4o-mini-2024-07-18"


async def test_parallel_calls_come_with_ids_names_and_whole_arguments(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(
        ("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Rom"}), text="Let me look."
    )

    reply = await reply_of(provider, asking(tools=[WEATHER]))

    assert reply.text == "Let me look."
    assert reply.calls == [("get_weather", '{"city": "Oslo"}'), ("get_weather", '{"city": "Rom"}')]
    assert len(set(reply.ids)) == 2
    assert reply.end.reason == "tool_calls"


async def test_arguments_that_are_not_json_are_passed_on_as_written(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(("get_weather", '{"city": Oslo'))

    reply = await reply_of(provider, asking(tools=[WEATHER]))

    assert reply.calls == [("get_weather", '{"city": Oslo')]


async def test_a_call_without_arguments_gets_the_empty_object(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(("now", ""))

    reply = await reply_of(provider, asking(tools=[WEATHER]))

    assert reply.calls == [("now", "{}")]


async def test_the_call_and_its_output_go_back_to_the_model(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(("get_weather", {"city": "Oslo"}), text="Let me look.")
    endpoint.will_answer("It is sunny.")
    first = await reply_of(provider, asking(tools=[WEATHER]))
    calls = [ToolCall(first.ids[0], *first.calls[0])]
    turns = [
        *asking().turns,
        AssistantTurn(first.text),
        ToolRound(calls, ["sunny"], first.end.replay),
    ]

    reply = await reply_of(provider, replace(asking(tools=[WEATHER]), turns=turns))

    assert reply.text == "It is sunny."
    assert "sunny" in json.dumps(endpoint.last)


async def test_a_refusal_is_told_apart_from_text(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.will_refuse("I cannot help with that.")

    reply = await reply_of(provider, asking())

    assert (reply.text, reply.refusal) == ("", "I cannot help with that.")


@pytest.mark.parametrize("reason", ["length", "content_filter"])
async def test_an_answer_that_was_cut_says_why(
    provider: ModelProvider, endpoint: ModelEndpoint, reason: str
) -> None:
    endpoint.will_answer("Half of an", finish=reason)

    reply = await reply_of(provider, asking())

    assert (reply.text, reply.end.reason) == ("Half of an", reason)


async def test_the_limit_of_output_tokens_reaches_the_model(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.will_answer(tokens=100, text="")

    reply = await reply_of(provider, asking(max_output_tokens=20))

    assert len(reply.text.split()) == 20
    assert reply.end.reason == "length"


SAID: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # What is asked, and how chat completions and responses say it.
    ("temperature", {"temperature": 0.2}, {"temperature": 0.2}, {"temperature": 0.2}),
    ("top_p", {"top_p": 0.5}, {"top_p": 0.5}, {"top_p": 0.5}),
    (
        "max_output_tokens",
        {"max_output_tokens": 50},
        {"max_completion_tokens": 50},
        {"max_output_tokens": 50},
    ),
    (
        "reasoning_effort",
        {"reasoning_effort": "low"},
        {"reasoning_effort": "low"},
        {"reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"]},
    ),
    (
        "json_object",
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_object"}},
        {"text": {"format": {"type": "json_object"}}},
    ),
    (
        "json_schema",
        {"response_format": SCHEMA},
        {"response_format": SCHEMA},
        {"text": {"format": {"type": "json_schema", **cast(Any, SCHEMA["json_schema"])}}},
    ),
    *(
        (
            f"tool_choice {choice}",
            {"tools": [WEATHER], "tool_choice": choice},
            {"tool_choice": choice, "parallel_tool_calls": True},
            {"tool_choice": choice, "parallel_tool_calls": True},
        )
        for choice in ("none", "auto", "required")
    ),
    (
        "a named tool, one call at a time",
        {"tools": [WEATHER], "tool_choice": NAMED, "parallel_tool_calls": False},
        {"tool_choice": NAMED, "parallel_tool_calls": False},
        {"tool_choice": {"type": "function", "name": "get_weather"}, "parallel_tool_calls": False},
    ),
]


@pytest.mark.parametrize(("name", "asked", "chat", "responses"), SAID, ids=[row[0] for row in SAID])
async def test_what_a_request_says_is_what_the_endpoint_gets(
    provider: ModelProvider,
    endpoint: ModelEndpoint,
    api: str,
    name: str,
    asked: dict[str, Any],
    chat: dict[str, Any],
    responses: dict[str, Any],
) -> None:
    await reply_of(provider, asking(**asked))

    expected = chat if api == "chat_completions" else responses
    assert {key: endpoint.last.get(key) for key in expected} == expected, name


async def test_what_a_request_does_not_say_is_left_to_the_endpoint(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    await reply_of(provider, asking())

    # The rest is how to stream, and the conversation.
    told = set(endpoint.last) - {"model", "stream", "stream_options", "store", "messages", "input"}
    assert told == set()


async def test_images_and_strict_tools_keep_their_details(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    image = ImagePart("https://example.com/cat.png", "low")
    request = asking(tools=[replace(WEATHER, strict=True)])
    request = replace(request, turns=[UserTurn([TextPart("What is this?"), image])])

    await reply_of(provider, request)

    sent = json.dumps(endpoint.last)
    assert "https://example.com/cat.png" in sent
    assert '"detail": "low"' in sent
    assert '"strict": true' in sent


async def test_a_tool_call_without_tools_cannot_be_asked_for(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    with pytest.raises(ModelError, match="there are no tools") as caught:
        await reply_of(provider, asking(tool_choice="required"))

    assert caught.value.code == "invalid_prompt"
    assert endpoint.requests == []


async def test_a_default_that_the_model_refuses_is_left_out_from_then_on(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.refuse_parameters("temperature", "top_p", "parallel_tool_calls")
    request = asking(temperature=1.0, top_p=1.0, tools=[WEATHER])

    await reply_of(provider, request)
    attempts = len(endpoint.requests)
    await reply_of(provider, request)

    assert attempts == 4
    assert len(endpoint.requests) == attempts + 1


async def test_a_choice_that_the_model_refuses_fails_by_name(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.refuse_parameters("temperature")
    await reply_of(provider, asking(temperature=None))

    with pytest.raises(ModelError, match="does not support temperature") as caught:
        await reply_of(provider, asking(temperature=0.3))

    assert caught.value.code == "invalid_prompt"
    assert "Leave temperature at its default" in caught.value.message


@pytest.mark.parametrize("odd", ["comments", "crlf", "data_without_space", "no_done"])
async def test_event_streams_are_read_in_every_dress(
    provider: ModelProvider, endpoint: ModelEndpoint, odd: str
) -> None:
    endpoint.will_call(("get_weather", {"city": "Oslo"}), text="One moment.", odd=[odd])

    reply = await reply_of(provider, asking(tools=[WEATHER]))

    assert reply.text == "One moment."
    assert reply.calls == [("get_weather", '{"city": "Oslo"}')]


async def test_usage_is_estimated_where_the_endpoint_does_not_tell_it(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.will_answer("one two three", odd=["no_usage"])

    reply = await reply_of(provider, asking())

    assert reply.end.usage.completion == 3
    assert reply.end.usage.prompt > 5


async def test_thoughts_are_not_part_of_the_answer(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.will_answer("Yes.", reasoning="Let me think about it.")

    reply = await reply_of(provider, asking())

    assert reply.text == "Yes."


async def test_leaving_early_closes_the_connection(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.will_answer("", tokens=10_000, token_delay=0.01)

    async with aclosing(cast(Any, provider.stream(asking()))) as events:
        async for _ in events:
            break

    await _until(lambda: endpoint.requests[0].disconnected)


async def test_cancelling_the_reader_closes_the_connection(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.will_answer("", tokens=10_000, token_delay=0.01)
    reading = asyncio.create_task(reply_of(provider, asking()))
    await _until(lambda: bool(endpoint.requests))

    reading.cancel()

    await _until(lambda: endpoint.requests[0].disconnected)


async def test_many_streams_at_once_neither_lose_nor_mix_words(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.default_answer(tokens=20, token_delay=0.05)

    replies = await asyncio.gather(*(reply_of(provider, asking(str(n))) for n in range(200)))

    expected = " ".join(f"word{number}" for number in range(20))
    assert {reply.text for reply in replies} == {expected}


async def test_the_list_of_models_and_their_context_windows_are_the_endpoints_own(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.lists_models(
        "plain",
        {"id": "vllm", "max_model_len": 4096},
        {"id": "router", "context_length": 8192, "created": None},
        {"id": "groq", "context_window": 16384},
        {"id": "llama.cpp", "meta": {"n_ctx": 2048}},
    )

    listed = [model.id for model in await provider.list_models()]
    windows = [await provider.context_window(name) for name in [*listed, "unknown"]]

    assert listed == ["plain", "vllm", "router", "groq", "llama.cpp"]
    assert windows == [None, 4096, 8192, 16384, 2048, None]


async def _until(happened: Callable[[], bool]) -> None:
    # The double lives in another thread: there is no event of this loop to wait for.
    while not happened():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
