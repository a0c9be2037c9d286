"""Which provider and which model answer for a name."""

import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from lib.models.chat_completions import ChatCompletionsProvider
from lib.models.provider import ModelError, ModelEvent, ModelInfo, ModelRequest
from lib.models.registry import ModelRegistry
from lib.models.responses import ResponsesProvider
from lib.settings import Settings
from tests.doubles.model_endpoint import ModelEndpoint
from tests.doubles.model_wire import Answer

NewRegistry = Callable[..., ModelRegistry]


@pytest.fixture
async def new_registry(endpoint: ModelEndpoint) -> AsyncIterator[NewRegistry]:
    """A registry over the double, with further settings by name."""
    made: list[ModelRegistry] = []

    def new(**settings: Any) -> ModelRegistry:
        told: Any = {"model_base_url": endpoint.base_url, "model_timeout": 5} | settings
        made.append(ModelRegistry(Settings(_env_file=None, **told)))
        return made[-1]

    yield new
    for registry in made:
        await registry.close()


@dataclass(frozen=True)
class State:
    phase: str = "ready"
    message: str = "The embedded model is ready."


@dataclass
class Embedded:
    """Stands where the embedded model stands; these tests never let it answer."""

    name: str = "qwen2.5-coder-1.5b"
    state: State = field(default_factory=State)

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        raise NotImplementedError

    async def list_models(self) -> list[ModelInfo]:
        return [ModelInfo(self.name, 0, "here")]

    async def context_window(self, model: str) -> int | None:  # noqa: ARG002
        return 4096

    async def count_tokens(self, text: str) -> int:
        return len(text)

    async def close(self) -> None:
        return


async def test_an_endpoint_that_has_responses_is_asked_through_it(
    new_registry: NewRegistry, endpoint: ModelEndpoint
) -> None:
    provider, _ = await new_registry().resolve("gpt-4o")

    assert isinstance(provider, ResponsesProvider)
    assert endpoint.requests == []


async def test_an_endpoint_without_responses_is_asked_through_chat_completions(
    new_registry: NewRegistry, endpoint: ModelEndpoint
) -> None:
    endpoint.script.apis = ["chat_completions"]

    provider, _ = await new_registry().resolve("gpt-4o")

    assert isinstance(provider, ChatCompletionsProvider)


async def test_the_api_that_was_set_is_used_unasked(new_registry: NewRegistry) -> None:
    provider, _ = await new_registry(model_api="chat_completions").resolve("gpt-4o")

    assert isinstance(provider, ChatCompletionsProvider)


NAMES: list[tuple[str, dict[str, Any], str, str]] = [
    ("the endpoint knows it", {}, "gpt-4o", "gpt-4o"),
    ("Ollama's tag goes without saying", {}, "llama3.2", "llama3.2"),
    ("the default answers for others", {"model": "gpt-4o"}, "gpt-4-1106-preview", "gpt-4o"),
    ("else the first that can chat", {}, "gpt-4-1106-preview", "gpt-4o-mini"),
    (
        "the first pattern that fits wins",
        {"model_map": {"gpt-4-*": "a", "gpt-*": "b"}, "model": "c"},
        "gpt-4-1106-preview",
        "a",
    ),
    ("a pattern wins over the list too", {"model_map": {"gpt-4o": "b"}}, "gpt-4o", "b"),
    ("patterns mind upper and lower case", {"model_map": {"GPT-4o": "b"}}, "gpt-4o", "gpt-4o"),
]


@pytest.mark.parametrize(
    ("why", "settings", "asked", "answers"), NAMES, ids=[row[0] for row in NAMES]
)
async def test_a_name_finds_its_model(
    new_registry: NewRegistry,
    endpoint: ModelEndpoint,
    why: str,
    settings: dict[str, Any],
    asked: str,
    answers: str,
) -> None:
    endpoint.lists_models("text-embedding-3-small", "gpt-4o-mini", "gpt-4o", "llama3.2:latest")

    _, model = await new_registry(**settings).resolve(asked)

    assert model == answers, why


@pytest.mark.parametrize("status", [404, 500])
async def test_a_name_is_trusted_when_there_is_no_list(
    new_registry: NewRegistry, endpoint: ModelEndpoint, status: int
) -> None:
    endpoint.script.models_answer = Answer(status=status)

    _, model = await new_registry(model="default").resolve("mystery")

    assert model == "mystery"


async def test_the_list_is_asked_for_once_for_many_runs(
    new_registry: NewRegistry, endpoint: ModelEndpoint
) -> None:
    registry = new_registry()
    await registry.resolve("gpt-4o")
    endpoint.lists_models("another")

    _, model = await registry.resolve("gpt-4o")

    assert model == "gpt-4o"


async def test_with_the_embedded_model_every_name_is_its_own() -> None:
    embedded = Embedded()
    registry = ModelRegistry(Settings(_env_file=None, openai_api_key=None), embedded)

    resolved = await registry.resolve("gpt-4-1106-preview")

    assert resolved == (embedded, "qwen2.5-coder-1.5b")
    assert [model.id for model in await registry.list_models()] == ["qwen2.5-coder-1.5b"]


async def test_the_embedded_models_health_is_its_state() -> None:
    loading = Embedded(state=State("downloading", "The model is being fetched."))

    health = await ModelRegistry(Settings(_env_file=None, openai_api_key=None), loading).health()

    assert (health.kind, health.reachable) == ("embedded", False)
    assert health.message == "The model is being fetched."


async def test_health_tells_address_api_and_default_without_credentials(
    new_registry: NewRegistry, endpoint: ModelEndpoint
) -> None:
    address = endpoint.base_url.replace("http://", "http://user:hunter22@")

    health = await new_registry(model_base_url=address).health()

    assert (health.kind, health.api, health.reachable) == ("endpoint", "responses", True)
    assert health.base_url == endpoint.base_url
    assert health.default_model == "gpt-4o-mini"
    assert "lists 4 models" in health.message
    assert "hunter22" not in repr(health)


async def test_health_looks_anew_each_time(
    new_registry: NewRegistry, endpoint: ModelEndpoint
) -> None:
    registry = new_registry(model_api_key="sk-right-0000")
    before = await registry.health()
    endpoint.script.api_key = "sk-other-0000"

    after = await registry.health()

    assert (before.reachable, after.reachable) == (True, False)
    assert "Check MODEL_API_KEY" in after.message


async def test_an_endpoint_that_is_down_is_said_to_be(new_registry: NewRegistry) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    registry = new_registry(model_base_url=f"http://127.0.0.1:{port}/v1")

    health = await registry.health()

    assert not health.reachable
    assert "cannot be reached" in health.message
    with pytest.raises(ModelError):
        await registry.list_models()


async def test_an_endpoint_without_a_list_is_still_reachable(
    new_registry: NewRegistry, endpoint: ModelEndpoint
) -> None:
    endpoint.script.models_answer = Answer(status=404)

    health = await new_registry().health()

    assert health.reachable
    assert "lists no models" in health.message
