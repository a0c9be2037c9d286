"""One server for all tests of the API: they see only what they made themselves."""

from collections.abc import Iterator

import pytest

from lib.settings import Settings
from tests.doubles.model_endpoint import ModelEndpoint
from tests.servers import ThreadServer


@pytest.fixture(scope="session")
def shared_server(
    running_endpoint: ModelEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ThreadServer]:
    settings = Settings(
        _env_file=None,
        model_base_url=running_endpoint.base_url,
        model_api="chat_completions",
        data_dir=tmp_path_factory.mktemp("data"),
    )
    with ThreadServer(settings) as server:
        yield server


@pytest.fixture
def server(shared_server: ThreadServer, endpoint: ModelEndpoint) -> ThreadServer:
    # Asking for the endpoint clears what the test before had scripted.
    return shared_server


@pytest.fixture
def thread_id(server: ThreadServer) -> str:
    return server.client().beta.threads.create().id
