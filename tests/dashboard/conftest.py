"""Fixtures of the dashboard's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from tests.dashboard.running_api import client_of, running_api
from tests.doubles.model_endpoint import ModelEndpoint


@pytest.fixture
def api_url(endpoint: ModelEndpoint, tmp_path: Path) -> Iterator[str]:
    """The address of the real API, running for this test."""
    with running_api(endpoint.base_url, tmp_path) as url:
        yield url


@pytest.fixture
def client(api_url: str) -> OpenAI:
    return client_of(api_url)
