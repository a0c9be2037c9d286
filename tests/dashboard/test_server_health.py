"""What a page just opened thinks of the model, which decides how often it asks again."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from lib.dashboard.server_health import model_may_change_soon
from tests.dashboard.running_api import client_of, running_api
from tests.doubles.model_endpoint import ModelEndpoint

SECONDS_TO_BE_READY = 10


@pytest.fixture
def client(endpoint: ModelEndpoint, tmp_path: Path) -> Iterator[OpenAI]:
    with running_api(endpoint.base_url, tmp_path, code_interpreter="off") as url:
        yield client_of(url)


def test_a_model_that_is_ready_is_asked_after_calmly_by_the_first_page(client: OpenAI) -> None:
    until = time.monotonic() + SECONDS_TO_BE_READY
    while client.get("/health", cast_to=dict)["model"]["phase"] != "ready":
        assert time.monotonic() < until
        time.sleep(0.05)

    assert not model_may_change_soon(client)


def test_a_server_that_does_not_answer_is_asked_again_soon() -> None:
    nobody = client_of("http://127.0.0.1:9/v1")

    assert model_may_change_soon(nobody)
