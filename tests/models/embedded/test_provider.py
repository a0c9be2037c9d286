"""What the engine gets from the embedded model, with the real small one."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from lib.models.embedded.provider import EmbeddedProvider
from lib.models.provider import (
    ContextTooLongError,
    Finished,
    FunctionTool,
    ImagePart,
    ModelError,
    ModelEvent,
    ModelRequest,
    TextDelta,
    TextPart,
    ToolCall,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    ToolRound,
    Turn,
    UserTurn,
)
from tests.models.embedded.conftest import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

WEATHER = FunctionTool(
    "get_weather",
    "Current weather in a city.",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string", "enum": ["Oslo", "Bergen"]},
            "unit": {"enum": ["celsius", "fahrenheit"]},
            "days": {"type": "array", "items": {"type": "integer"}, "maxItems": 3},
        },
        "required": ["city", "unit", "days"],
    },
)
PING = FunctionTool("ping", "Ping.", {"type": "object", "properties": {}})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider(small_model_dir: Path) -> AsyncIterator[EmbeddedProvider]:
    provider = EmbeddedProvider("smollm2-135m", small_model_dir)
    provider.start()
    yield provider
    await provider.close()


def ask(text: str, **fields: Any) -> ModelRequest:
    turns: list[Turn] = [UserTurn([TextPart(text)])]
    return ModelRequest("smollm2-135m", "Be brief.", **({"turns": turns} | fields))


async def reply(provider: EmbeddedProvider, request: ModelRequest) -> list[ModelEvent]:
    return [event async for event in provider.stream(request)]


def text_of(events: list[ModelEvent]) -> str:
    kinds = (TextDelta, ToolCallArgumentsDelta)
    return "".join(event.text for event in events if isinstance(event, kinds))


def finish_of(events: list[ModelEvent]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


def called(events: list[ModelEvent]) -> list[str]:
    return [event.name for event in events if isinstance(event, ToolCallStarted)]


async def test_text_comes_piece_by_piece_and_ends_with_usage(provider: EmbeddedProvider) -> None:
    events = await reply(provider, ask("Say hello.", max_output_tokens=8, temperature=0.0))

    finish = finish_of(events)
    assert len([event for event in events if isinstance(event, TextDelta)]) > 1
    assert finish.model == "smollm2-135m"
    assert finish.usage.prompt > 0 and finish.usage.completion > 0


async def test_the_token_limit_ends_with_length(provider: EmbeddedProvider) -> None:
    events = await reply(provider, ask("Tell a long story.", max_output_tokens=3))

    assert finish_of(events).reason == "length"
    assert finish_of(events).usage.completion == 3


@pytest.mark.parametrize("attempt", range(3))
async def test_arguments_always_fit_the_schema(provider: EmbeddedProvider, attempt: int) -> None:
    request = ask(
        f"Weather number {attempt}?", tools=[WEATHER], tool_choice="required", temperature=2.0
    )

    events = await reply(provider, request)

    arguments = json.loads(text_of(events))
    assert finish_of(events).reason == "tool_calls"
    assert arguments["city"] in ("Oslo", "Bergen")
    assert arguments["unit"] in ("celsius", "fahrenheit")
    assert len(arguments["days"]) <= 3 and set(arguments) == {"city", "unit", "days"}


async def test_a_named_tool_is_the_one_called(provider: EmbeddedProvider) -> None:
    choice = {"type": "function", "function": {"name": "ping"}}

    events = await reply(provider, ask("Weather?", tools=[WEATHER, PING], tool_choice=choice))

    assert called(events) == ["ping"]
    assert text_of(events) == "{}"


async def test_required_calls_one_of_the_tools(provider: EmbeddedProvider) -> None:
    request = ask("Hello!", tools=[WEATHER, PING], tool_choice="required")

    events = await reply(provider, request)

    assert called(events) in (["get_weather"], ["ping"])


async def test_none_never_calls(provider: EmbeddedProvider) -> None:
    request = ask("Weather in Oslo?", tools=[WEATHER], tool_choice="none", max_output_tokens=8)

    assert called(await reply(provider, request)) == []


async def test_auto_ends_as_text_or_as_one_call(provider: EmbeddedProvider) -> None:
    request = ask("Weather in Oslo?", tools=[WEATHER, PING], max_output_tokens=60)

    events = await reply(provider, request)

    assert len(called(events)) <= 1
    assert text_of(events)


async def test_a_tool_that_is_not_there_cannot_be_chosen(provider: EmbeddedProvider) -> None:
    choice = {"type": "function", "function": {"name": "absent"}}

    with pytest.raises(ModelError, match="absent"):
        await reply(provider, ask("Hi", tools=[WEATHER], tool_choice=choice))


async def test_an_answer_follows_a_tool_round(provider: EmbeddedProvider) -> None:
    turns: list[Turn] = [
        UserTurn([TextPart("Weather in Oslo?")]),
        ToolRound([ToolCall("call_1", "get_weather", '{"city": "Oslo"}')], ["Sunny, 21 degrees"]),
    ]
    request = ask(
        "", turns=turns, tools=[WEATHER], tool_choice="none", max_output_tokens=30, temperature=0.0
    )

    events = await reply(provider, request)

    assert text_of(events)
    assert finish_of(events).usage.prompt > 100


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"$ref": "#/nowhere"}, id="a reference to nothing"),
        pytest.param({"type": "nonsense"}, id="a type there is not"),
        pytest.param({"type": "string", "pattern": "(?=x)"}, id="a pattern with a look-ahead"),
    ],
)
async def test_a_schema_that_cannot_be_enforced_still_gives_an_object(
    provider: EmbeddedProvider, schema: dict[str, Any]
) -> None:
    parameters = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    tool = FunctionTool("odd", "Odd.", parameters)

    events = await reply(
        provider, ask("Go", tools=[tool], tool_choice="required", max_output_tokens=200)
    )

    assert text_of(events).startswith("{")
    if finish_of(events).reason == "tool_calls":
        assert isinstance(json.loads(text_of(events)), dict)


async def test_a_json_schema_answer_fits_it(provider: EmbeddedProvider) -> None:
    schema = {
        "type": "object",
        "properties": {"age": {"type": "integer"}, "kind": {"enum": ["cat", "dog"]}},
        "required": ["age", "kind"],
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "pet", "schema": schema}}

    events = await reply(provider, ask("A pet.", response_format=wanted))

    pet = json.loads(text_of(events))
    assert isinstance(pet["age"], int) and pet["kind"] in ("cat", "dog")


async def test_tokens_are_counted_as_the_model_counts_them(provider: EmbeddedProvider) -> None:
    assert await provider.count_tokens("hello world") == 2
    assert await provider.count_tokens("") == 0


async def test_the_model_and_its_window_are_told(provider: EmbeddedProvider) -> None:
    assert [model.id for model in await provider.list_models()] == ["smollm2-135m"]
    assert await provider.context_window("smollm2-135m") == 8192


async def test_an_input_over_the_window_is_refused(provider: EmbeddedProvider) -> None:
    with pytest.raises(ContextTooLongError, match="8192"):
        await reply(provider, ask("hello world " * 5000))


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        pytest.param(ask("Hi", reasoning_effort="low"), "reasoning_effort", id="reasoning"),
        pytest.param(
            ask("", turns=[UserTurn([ImagePart("https://example.com/a.png")])]),
            "image",
            id="an image",
        ),
    ],
)
async def test_what_the_model_cannot_do_is_named(
    provider: EmbeddedProvider, request_: ModelRequest, named: str
) -> None:
    with pytest.raises(ModelError, match=named) as failure:
        await reply(provider, request_)

    assert failure.value.code == "invalid_prompt"


async def test_closing_the_stream_stops_the_generation(provider: EmbeddedProvider) -> None:
    async with aclosing(provider.stream(ask("Count from 1 to 10000."))) as events:
        await anext(events)

    server = await provider._supervisor.server()
    headers = {"Authorization": f"Bearer {server.key}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False) as client:
        busy = True
        while busy:
            slots = (await client.get("/slots")).json()
            busy = any(slot["is_processing"] for slot in slots)


async def test_a_crash_in_mid_answer_is_told_and_the_next_run_is_answered(
    provider: EmbeddedProvider,
) -> None:
    server = await provider._supervisor.server()
    with pytest.raises(ModelError, match="stopped while it was answering"):
        async with aclosing(provider.stream(ask("Count from 1 to 10000."))) as events:
            async for _event in events:
                os.kill(server.pid, signal.SIGKILL)
                await server.ended()

    await eventually(lambda: provider.state.phase == "ready")

    assert text_of(await reply(provider, ask("Say hello.", max_output_tokens=5)))


async def test_a_crash_before_the_answer_goes_unnoticed(provider: EmbeddedProvider) -> None:
    server = await provider._supervisor.server()
    os.kill(server.pid, signal.SIGKILL)

    events = await reply(provider, ask("Say hello.", max_output_tokens=5))

    assert text_of(events)


async def test_answers_run_side_by_side(provider: EmbeddedProvider) -> None:
    requests = [ask(f"Say {number}.", max_output_tokens=5) for number in range(6)]

    replies = await asyncio.gather(*(reply(provider, request) for request in requests))

    assert all(text_of(events) for events in replies)


@pytest.mark.usefixtures("no_hub", "no_index")
async def test_a_run_fails_with_the_reason_when_the_model_cannot_be_had(tmp_path: Path) -> None:
    provider = EmbeddedProvider("smollm2-135m", tmp_path)
    provider.start()

    with pytest.raises(ModelError, match="Connect to the network"):
        await reply(provider, ask("Hi"))

    assert provider.state.phase == "failed"
    await provider.close()
