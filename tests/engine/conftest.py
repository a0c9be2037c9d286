"""Two servers for all tests of the engine, one for each API that model endpoints speak."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta import Assistant, Thread
from openai.types.beta.threads import Message, Run

from lib.settings import Settings
from tests.doubles.model_endpoint import ModelEndpoint
from tests.servers import ThreadServer

Ask = Callable[..., Run]


@pytest.fixture(scope="session", params=["chat_completions", "responses"])
def engine_server(
    request: pytest.FixtureRequest,
    endpoint_server: ModelEndpoint,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ThreadServer]:
    settings = Settings(
        _env_file=None,
        model_base_url=endpoint_server.base_url,
        model_api=request.param,
        data_dir=tmp_path_factory.mktemp("data"),
        embedder="off",
    )
    with ThreadServer(settings) as server:
        yield server


@pytest.fixture
def server(engine_server: ThreadServer, endpoint: ModelEndpoint) -> Iterator[ThreadServer]:
    yield engine_server
    # A run left over would take the answer that the next test scripts.
    engine_server.end_all_runs()
    endpoint.reset()


@pytest.fixture
def thread(client: OpenAI) -> Thread:
    return client.beta.threads.create(messages=[{"role": "user", "content": "3x + 11 = 14?"}])


@pytest.fixture
def caller(client: OpenAI) -> Assistant:
    """An assistant that has functions."""
    functions: Any = [{"name": "get_weather"}, {"name": "get_time"}]
    return client.beta.assistants.create(
        model="gpt-4o-mini",
        tools=[{"type": "function", "function": function} for function in functions],
    )


@pytest.fixture
def ask(client: OpenAI, thread: Thread, assistant: Assistant) -> Ask:
    """Run the thread until it rests."""

    def ask(**more: Any) -> Run:
        chosen: Any = {"thread_id": thread.id, "assistant_id": assistant.id, "poll_interval_ms": 5}
        return client.beta.threads.runs.create_and_poll(**(chosen | more))

    return ask


def text_of(message: Message) -> str:
    return "".join(part.text.value for part in message.content if part.type == "text")


def last_message(client: OpenAI, thread_id: str) -> Message:
    return client.beta.threads.messages.list(thread_id, limit=1).data[0]
