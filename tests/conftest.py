"""Fixtures that more than one folder of tests uses."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta import Assistant
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from lib.settings import Settings
from tests.doubles.model_endpoint import ModelEndpoint
from tests.postgres import PostgresServer, postgres_server
from tests.servers import ProcessServer, ThreadServer

StartServer = Callable[..., ThreadServer]
StartProcess = Callable[..., ProcessServer]


JOURNEYS = "tests/journeys/"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The journeys, which take as long as all else, begin first: no worker waits at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(JOURNEYS))


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """A file's tests go to one worker, and so do all journeys: two browsers are one too many."""

    def _split_scope(self, nodeid: str) -> str:
        return JOURNEYS if nodeid.startswith(JOURNEYS) else nodeid.split("::", 1)[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    return ByFile(config, log)


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see no setting but their own; the key is the one that the SDK insists on."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "any-key")


@pytest.fixture(scope="session")
def endpoint_server() -> Iterator[ModelEndpoint]:
    with ModelEndpoint() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The address of a Postgres database that is this test's own."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def endpoint(endpoint_server: ModelEndpoint) -> ModelEndpoint:
    """A model endpoint for this test, with nothing scripted and nothing recorded yet."""
    endpoint_server.reset()
    return endpoint_server


@pytest.fixture
def start_server(endpoint: ModelEndpoint, tmp_path: Path) -> Iterator[StartServer]:
    """Start a server with settings of the test's own; without any, all share one DATA_DIR."""
    with ExitStack() as running:

        def start(**settings: Any) -> ThreadServer:
            defaults = {
                "model_base_url": endpoint.base_url,
                "model_api": "chat_completions",
                "data_dir": tmp_path / "data",
                "code_interpreter": "off",
                "embedder": "off",
            }
            chosen = Settings(_env_file=None, **(defaults | settings))  # type: ignore[arg-type]
            return running.enter_context(ThreadServer(chosen))

        yield start


@pytest.fixture
def server(start_server: StartServer) -> ThreadServer:
    return start_server()


@pytest.fixture
def client(server: ThreadServer) -> OpenAI:
    """The official SDK with nothing but the base URL."""
    return server.client()


@pytest.fixture
def assistant(client: OpenAI) -> Assistant:
    return client.beta.assistants.create(model="gpt-4o-mini", name="Math Tutor")


@pytest.fixture
def start_process(endpoint: ModelEndpoint, tmp_path: Path) -> Iterator[StartProcess]:
    """Start the product as a process. All of a test's processes share one DATA_DIR."""
    with ExitStack() as running:

        def start(**settings: str) -> ProcessServer:
            defaults = {
                "MODEL_BASE_URL": endpoint.base_url,
                "MODEL_API": "chat_completions",
                "EMBEDDER": "off",
            }
            return running.enter_context(ProcessServer(tmp_path, **(defaults | settings)))

        yield start
