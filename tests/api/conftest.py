"""One server for all tests of the API: they see only what they made themselves."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from openai import BadRequestError

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
    end_all_runs(shared_server)
    endpoint.reset()


def end_all_runs(server: ThreadServer) -> None:
    runs = server.client().beta.threads.runs
    with server.http() as http:
        active = {"status": ["queued", "in_progress", "requires_action", "cancelling"]}
        for run in http.get("runs", params=active).json()["data"]:
            with suppress(BadRequestError):
                runs.cancel(run["id"], thread_id=run["thread_id"])
            runs.poll(run["id"], thread_id=run["thread_id"], poll_interval_ms=5)


@pytest.fixture
def thread_id(server: ThreadServer) -> str:
    return server.client().beta.threads.create().id
