"""Whatever goes wrong at an endpoint becomes one sentence that says what to do."""

import re
import socket
from typing import Any

import pytest

from lib.models.chat_completions import ChatCompletionsProvider
from lib.models.endpoint import Endpoint
from lib.models.provider import ContextTooLongError, ImagePart, ModelError, ModelProvider, UserTurn
from tests.doubles.model_endpoint import ModelEndpoint
from tests.doubles.model_wire import Answer
from tests.models.conftest import KEY, WEATHER, asking, new_provider, reply_of


async def failure_of(provider: ModelProvider, **asked: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await reply_of(provider, asking(**asked))
    assert KEY not in caught.value.message
    assert caught.value.message.endswith(".")
    return caught.value


TOO_LONG = (
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 "
    "tokens. Please reduce the length of the messages."
)

HTTP_ERRORS: list[tuple[str, dict[str, Any], str, str]] = [
    # Why this row is here, what the endpoint answers, the run's code, and words people read.
    ("key refused", {"status": 401}, "server_error", "Check MODEL_API_KEY"),
    ("country refused", {"status": 403}, "server_error", "refused the key"),
    ("model unknown", {"status": 404}, "server_error", "does not know the model gpt-4o-mini"),
    (
        "API unknown",
        {"status": 404, "code": "x", "message": "Not Found"},
        "server_error",
        "MODEL_API",
    ),
    ("limit", {"status": 429, "times": 3}, "rate_limit_exceeded", "Wait a little"),
    (
        "quota",
        {"status": 429, "code": "insufficient_quota", "times": 3},
        "rate_limit_exceeded",
        "quota is used up",
    ),
    (
        "no money",
        {"status": 402, "message": "Insufficient credits"},
        "rate_limit_exceeded",
        "billing",
    ),
    (
        "bad content",
        {"status": 400, "code": "content_policy_violation", "message": "Your request was rejected"},
        "invalid_prompt",
        "Your request was rejected",
    ),
    ("crash", {"status": 500, "times": 3}, "server_error", "failed \\(500\\)"),
    ("overload", {"status": 503, "times": 3}, "server_error", "overloaded"),
    (
        "tools missing",
        {"status": 400, "message": "registry/llama2 does not support tools"},
        "invalid_prompt",
        "does not support tool calls.*Remove the assistant's tools",
    ),
]


@pytest.mark.parametrize(
    ("why", "error", "code", "words"), HTTP_ERRORS, ids=[r[0] for r in HTTP_ERRORS]
)
async def test_an_http_error_says_what_failed_and_what_to_do(
    provider: ModelProvider,
    endpoint: ModelEndpoint,
    why: str,
    error: dict[str, Any],
    code: str,
    words: str,
) -> None:
    endpoint.will_fail(headers={"retry-after-ms": "5"}, **error)

    failure = await failure_of(provider, tools=[WEATHER])

    assert failure.code == code, why
    assert re.search(words, failure.message), failure.message


async def test_a_limit_that_passes_is_waited_for(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.will_fail(429, headers={"retry-after-ms": "5"})
    endpoint.will_fail(503, headers={"retry-after-ms": "5"})
    endpoint.will_answer("Here I am.")

    reply = await reply_of(provider, asking())

    assert reply.text == "Here I am."


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("context_length_exceeded", "Too much."),
        (None, TOO_LONG),
        (None, "the request exceeds the available context size, try increasing it"),
        (None, "prompt is too long: 210000 tokens > 200000 maximum"),
        (None, "Your input exceeds the context window of this model."),
    ],
)
async def test_a_conversation_that_is_too_long_is_an_error_of_its_own(
    provider: ModelProvider, endpoint: ModelEndpoint, code: str | None, message: str
) -> None:
    endpoint.will_fail(400, code, message)

    failure = await failure_of(provider)

    assert isinstance(failure, ContextTooLongError)
    assert failure.code == "invalid_prompt"


async def test_a_model_without_eyes_is_named_as_such(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.will_fail(400, None, "image input is not supported by this model")

    with pytest.raises(ModelError, match=r"does not support images.*Remove the image"):
        request = asking()
        request.turns.append(UserTurn([ImagePart("data:image/png;base64,AAAA")]))
        await reply_of(provider, request)


async def test_the_key_is_never_repeated_even_when_the_endpoint_does(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.script.api_key = "another"
    refused = await failure_of(provider)
    endpoint.script.api_key = None
    endpoint.will_fail(400, None, f"Header was: Bearer {KEY} and more")

    echoed = await failure_of(provider)

    assert "(401)" in refused.message
    assert "Bearer [key] and more" in echoed.message


FAULTS: list[tuple[str, int, str]] = [
    ("hang", 0, "did not answer within 0.3 seconds.*MODEL_TIMEOUT"),
    ("stall", 0, "fell silent for 0.3 seconds"),
    ("stall", 3, "fell silent for 0.3 seconds"),
    ("break", 0, "broke off in the middle"),
    ("break", 3, "broke off in the middle"),
    ("reset", 3, "broke off in the middle"),
    ("garbage", 2, "cannot be read \\(an event is not JSON\\)"),
    ("html", 0, "cannot be read.*MODEL_BASE_URL"),
    ("error_event", 2, "had an error while processing"),
]


@pytest.mark.parametrize(("fault", "after", "words"), FAULTS)
async def test_a_stream_that_goes_wrong_fails_plainly_and_at_once(
    hasty_provider: ModelProvider, endpoint: ModelEndpoint, fault: str, after: int, words: str
) -> None:
    endpoint.will(Answer(tokens=10, fault=fault, fault_after=after))

    failure = await failure_of(hasty_provider)

    assert failure.code == "server_error"
    assert re.search(words, failure.message), failure.message
    assert len(endpoint.requests) == 1


async def test_a_stream_that_ends_without_its_end_was_broken_off(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    endpoint.will(Answer(tokens=10, fault="end", fault_after=5))

    failure = await failure_of(provider)

    assert "broke off in the middle" in failure.message


async def test_an_error_inside_a_stream_keeps_its_kind(
    provider: ModelProvider, endpoint: ModelEndpoint
) -> None:
    body = {"error": {"code": "rate_limit_exceeded", "message": "Slow down", "param": None}}
    endpoint.will(Answer(tokens=5, fault="error_event", fault_after=1, error=body))

    failure = await failure_of(provider)

    assert failure.code == "rate_limit_exceeded"


async def test_a_server_that_is_not_there_is_said_to_refuse(api: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    provider = new_provider(api, f"http://user:hunter22@127.0.0.1:{port}/v1")

    failure = await failure_of(provider)
    await provider.close()

    assert f"at http://127.0.0.1:{port}/v1 cannot be reached" in failure.message
    assert "hunter22" not in failure.message


async def test_credentials_in_the_address_are_used_where_there_is_no_key(
    endpoint: ModelEndpoint,
) -> None:
    address = endpoint.base_url.replace("http://", "http://user:hunter22@") + "?api-version=1"
    provider = ChatCompletionsProvider(Endpoint(address, None, 5.0))

    await reply_of(provider, asking())
    await provider.close()

    assert endpoint.requests[0].headers["authorization"] == "Basic dXNlcjpodW50ZXIyMg=="


async def test_a_host_that_is_not_known_is_said_to_be_unknown(api: str) -> None:
    provider = new_provider(api, "http://no-such-host.invalid/v1")

    failure = await failure_of(provider)
    await provider.close()

    assert "host name is not known" in failure.message
