"""Providers that speak to the double, and what tests collect from them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from lib.models.chat_completions import ChatCompletionsProvider
from lib.models.endpoint import Endpoint
from lib.models.provider import (
    Finished,
    FunctionTool,
    ModelEvent,
    ModelProvider,
    ModelRequest,
    RefusalDelta,
    TextDelta,
    TextPart,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    UserTurn,
)
from lib.models.responses import ResponsesProvider
from tests.doubles.model_endpoint import ModelEndpoint

KEY = "sk-secret-0123456789"
PROVIDERS: dict[str, Callable[[Endpoint], ModelProvider]] = {
    "responses": ResponsesProvider,
    "chat_completions": ChatCompletionsProvider,
}

WEATHER = FunctionTool(
    "get_weather",
    "The weather in a city",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


@dataclass
class Reply:
    """The events of one answer, put together as a run puts them together."""

    text: str = ""
    refusal: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    finished: Finished | None = None

    @property
    def end(self) -> Finished:
        assert self.finished, "the reply did not finish"
        return self.finished

    def add(self, event: ModelEvent) -> None:
        assert self.finished is None, "an event came after the last one"
        match event:
            case TextDelta(text):
                self.text += text
            case RefusalDelta(text):
                self.refusal += text
            case ToolCallStarted(index, call_id, name):
                assert index == len(self.calls), "calls are counted from 0"
                self.calls.append((name, ""))
                self.ids.append(call_id)
            case ToolCallArgumentsDelta(index, text):
                name, arguments = self.calls[index]
                self.calls[index] = (name, arguments + text)
            case Finished():
                self.finished = event


async def reply_of(provider: ModelProvider, request: ModelRequest) -> Reply:
    reply = Reply()
    async for event in provider.stream(request):
        reply.add(event)
    return reply


def asking(text: str = "Hello", model: str = "gpt-4o-mini", **more: object) -> ModelRequest:
    return ModelRequest(
        model=model,
        instructions="Be kind.",
        turns=[UserTurn([TextPart(text)])],
        **more,  # type: ignore[arg-type]
    )


def new_provider(api: str, base_url: str, timeout: float = 5.0) -> ModelProvider:
    return PROVIDERS[api](Endpoint(base_url, KEY, timeout))


@pytest.fixture(params=list(PROVIDERS))
def api(request: pytest.FixtureRequest) -> str:
    """Each test runs once for each provider."""
    return str(request.param)


@pytest.fixture
async def provider(api: str, endpoint: ModelEndpoint) -> AsyncIterator[ModelProvider]:
    provider = new_provider(api, endpoint.base_url)
    yield provider
    await provider.close()


@pytest.fixture
async def hasty_provider(api: str, endpoint: ModelEndpoint) -> AsyncIterator[ModelProvider]:
    """Gives up after a moment without a word."""
    provider = new_provider(api, endpoint.base_url, timeout=0.3)
    yield provider
    await provider.close()
