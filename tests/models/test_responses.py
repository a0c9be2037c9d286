"""What belongs to the Responses API alone: items, thoughts that travel along, its own failures."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from lib.models.provider import ModelError, ModelProvider, ToolCall, ToolRound
from tests.doubles.model_endpoint import ModelEndpoint
from tests.doubles.model_wire import Answer
from tests.models.conftest import WEATHER, asking, new_provider, reply_of


@pytest.fixture
async def responses(endpoint: ModelEndpoint) -> AsyncIterator[ModelProvider]:
    provider = new_provider("responses", endpoint.base_url)
    yield provider
    await provider.close()


async def test_nothing_is_stored_at_the_endpoint(
    responses: ModelProvider, endpoint: ModelEndpoint
) -> None:
    await reply_of(responses, asking())

    assert endpoint.last["store"] is False


@pytest.mark.parametrize("odd", ["whole_calls", "no_argument_deltas"])
async def test_calls_that_come_only_at_their_end_come_out_whole(
    responses: ModelProvider, endpoint: ModelEndpoint, odd: str
) -> None:
    calls = [("get_weather", '{"city": "Oslo"}'), ("now", "")]
    endpoint.will_call(*calls, text="Let me look.", odd=[odd])

    reply = await reply_of(responses, asking(tools=[WEATHER]))

    assert reply.calls == [calls[0], ("now", "{}")]
    assert reply.text == "Let me look."


@pytest.mark.parametrize("model", ["o4-mini", "gpt-5.1", "openai/gpt-oss-20b"])
async def test_a_models_thoughts_go_back_in_front_of_its_calls(
    responses: ModelProvider, endpoint: ModelEndpoint, model: str
) -> None:
    endpoint.will_call(("get_weather", {"city": "Oslo"}), reasoning="Where is Oslo?")
    request = asking(model=model, tools=[WEATHER])
    first = await reply_of(responses, request)
    call = ToolCall(first.ids[0], *first.calls[0])
    turns = [*request.turns, ToolRound([call], ["sunny"], first.end.replay)]

    await reply_of(responses, replace(request, turns=turns))

    kinds = [item.get("type") for item in endpoint.last["input"]]
    assert kinds == [None, None, "reasoning", "function_call", "function_call_output"]
    assert endpoint.last["input"][2]["encrypted_content"].startswith("gAAAA")


async def test_thoughts_that_the_endpoint_did_not_hand_out_are_not_sent_back(
    responses: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(("get_weather", {"city": "Oslo"}), reasoning="Where is Oslo?")

    reply = await reply_of(responses, asking(model="gpt-4o", tools=[WEATHER]))

    assert reply.end.replay == []


async def test_servers_that_refuse_include_or_store_are_asked_without(
    responses: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.refuse_parameters("include", "store")

    reply = await reply_of(responses, asking(model="o4-mini"))

    assert reply.text == "Hello from the model."


async def test_a_response_that_failed_says_why(
    responses: ModelProvider, endpoint: ModelEndpoint
) -> None:
    error = {"error": {"code": "invalid_prompt", "message": "Your prompt was flagged."}}
    endpoint.will(Answer(tokens=5, fault="failed_event", fault_after=2, error=error))

    with pytest.raises(ModelError, match="Your prompt was flagged") as caught:
        await reply_of(responses, asking())

    assert caught.value.code == "invalid_prompt"
