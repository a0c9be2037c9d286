"""Fixtures that more than one folder of tests uses."""

from collections.abc import Iterator

import pytest

from tests.doubles.model_endpoint import ModelEndpoint


@pytest.fixture(scope="session")
def endpoint_server() -> Iterator[ModelEndpoint]:
    with ModelEndpoint() as server:
        yield server


@pytest.fixture
def endpoint(endpoint_server: ModelEndpoint) -> ModelEndpoint:
    """A model endpoint on a free port, which knows nothing of the tests before."""
    endpoint_server.reset()
    return endpoint_server
