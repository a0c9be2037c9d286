"""Tool calls and texts as servers in the wild stream them, and what chat completions need."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from lib.models.provider import (
    AssistantTurn,
    ImagePart,
    ModelProvider,
    TextPart,
    ToolCall,
    ToolRound,
    UserTurn,
)
from tests.doubles.model_endpoint import ModelEndpoint
from tests.models.conftest import WEATHER, asking, new_provider, reply_of

CALLS = [("get_weather", '{"city": "Oslo"}'), ("get_weather", '{"city": "Rom"}')]


@pytest.fixture
async def chat(endpoint: ModelEndpoint) -> AsyncIterator[ModelProvider]:
    provider = new_provider("chat_completions", endpoint.base_url)
    yield provider
    await provider.close()


@pytest.mark.parametrize(
    "odd",
    [
        ["no_ids"],
        ["ids_in_every_chunk"],
        ["changing_ids"],
        ["name_in_every_chunk"],
        ["name_in_pieces"],
        ["no_index"],
        ["no_index", "ids_in_every_chunk"],
        ["no_index", "no_ids", "whole_calls"],
        ["index_always_zero"],
        ["index_always_zero", "whole_calls"],
        ["index_always_zero", "whole_calls", "no_ids"],
        ["index_always_zero", "name_in_every_chunk"],
        ["whole_calls"],
        ["finish_stop"],
        ["null_content"],
        ["legacy_function_call"],
        ["usage_in_every_chunk"],
        ["comments", "crlf", "data_without_space", "no_done"],
    ],
    ids=" ".join,
)
async def test_odd_tool_calls_come_out_whole(
    chat: ModelProvider, endpoint: ModelEndpoint, odd: list[str]
) -> None:
    endpoint.will_call(*CALLS, odd=odd)

    reply = await reply_of(chat, asking(tools=[WEATHER]))

    assert reply.calls == CALLS
    assert len(set(reply.ids)) == 2
    assert all(call_id.startswith("call_") for call_id in reply.ids)
    assert reply.end.reason == "tool_calls"


@pytest.mark.parametrize("odd", ["empty_choices", "null_content", "content_in_parts", "no_done"])
async def test_odd_texts_come_out_whole(
    chat: ModelProvider, endpoint: ModelEndpoint, odd: str
) -> None:
    endpoint.will_answer("All is well.", odd=[odd], prompt_tokens=7)

    reply = await reply_of(chat, asking())

    assert reply.text == "All is well."
    assert reply.end.usage.prompt == 7


async def test_servers_that_know_only_max_tokens_get_it_at_once_the_second_time(
    chat: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.refuse_parameters("max_completion_tokens")

    await reply_of(chat, asking(max_output_tokens=50))
    await reply_of(chat, asking(max_output_tokens=60))

    limits = [request.body.get("max_tokens") for request in endpoint.requests]
    assert limits == [None, 50, 60]


async def test_servers_that_refuse_stream_options_are_asked_without(
    chat: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.refuse_parameters("stream_options")

    reply = await reply_of(chat, asking())

    assert reply.text == "Hello from the model."
    assert reply.end.usage.completion > 0


async def test_text_alone_is_sent_as_a_string_and_with_an_image_in_parts(
    chat: ModelProvider, endpoint: ModelEndpoint
) -> None:
    words = UserTurn([TextPart("Look"), TextPart("here")])
    picture = UserTurn([TextPart("What?"), ImagePart("data:image/png;base64,AAAA")])

    await reply_of(chat, replace(asking(), turns=[words, picture]))

    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert endpoint.last["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Look\nhere"},
        {"role": "user", "content": [{"type": "text", "text": "What?"}, image]},
    ]


async def test_words_before_calls_and_the_calls_are_one_message(
    chat: ModelProvider, endpoint: ModelEndpoint
) -> None:
    round_ = ToolRound([ToolCall("call_1", "get_weather", "{}")], ["sunny"])
    request = replace(asking(tools=[WEATHER]), turns=[AssistantTurn("Let me look."), round_])

    await reply_of(chat, request)

    function = {"name": "get_weather", "arguments": "{}"}
    assert endpoint.last["messages"][1:] == [
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]


async def test_a_tool_without_parameters_is_sent_with_an_empty_schema(
    chat: ModelProvider, endpoint: ModelEndpoint
) -> None:
    await reply_of(chat, asking(tools=[replace(WEATHER, parameters={}, description=None)]))

    schema = {"type": "object", "properties": {}}
    sent = {"name": "get_weather", "parameters": schema}
    assert endpoint.last["tools"] == [{"type": "function", "function": sent}]
    assert json.dumps(endpoint.last)
