"""A server whose traces go to doubles of AgentOps and of an OTLP collector."""

from collections.abc import Iterator

import pytest

from tests.conftest import StartServer
from tests.doubles.trace_receiver import Receiver
from tests.servers import ThreadServer


@pytest.fixture
def agentops() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def collector() -> Iterator[Receiver]:
    with Receiver(asks_for_token=False) as receiver:
        yield receiver


@pytest.fixture
def server(start_server: StartServer, agentops: Receiver, collector: Receiver) -> ThreadServer:
    return start_server(
        agentops_api_key=agentops.key,
        agentops_api_endpoint=agentops.url,
        agentops_exporter_endpoint=agentops.url,
        agentops_app_url="https://agentops.test",
        otel_exporter_otlp_endpoint=collector.url,
        code_interpreter="auto",
    )
