"""One server for all tests of the API: they see only what they made themselves."""

from collections.abc import Iterator

import pytest

from lib.settings import Settings
from tests.doubles.model_endpoint import ModelEndpoint
from tests.servers import ThreadServer


@pytest.fixture(scope="session")
def shared_server(
    endpoint_server: ModelEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ThreadServer]:
    settings = Settings(
        _env_file=None,
        model_base_url=endpoint_server.base_url,
        model_api="chat_completions",
        data_dir=tmp_path_factory.mktemp("data"),
        embedder="off",
    )
    with ThreadServer(settings) as server:
        yield server


@pytest.fixture
def server(shared_server: ThreadServer, endpoint: ModelEndpoint) -> Iterator[ThreadServer]:
    yield shared_server
    # A run left over would take the answer that the next test scripts.
    shared_server.end_all_runs()
    endpoint.reset()


@pytest.fixture
def thread_id(server: ThreadServer) -> str:
    return server.client().beta.threads.create().id
