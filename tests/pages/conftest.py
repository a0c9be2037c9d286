"""Fixtures of the pages' tests: the real API, and a way to open a page in the test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from openai import OpenAI
from streamlit.testing.v1 import AppTest

from lib.dashboard.navigation import FOLDER
from tests.dashboard.running_api import client_of, running_api
from tests.doubles.model_endpoint import ModelEndpoint

MAIN = Path(__file__).parents[2] / "lib" / "dashboard" / "main.py"

OpenPage = Callable[..., AppTest]


@pytest.fixture
def functions_dir(tmp_path: Path) -> Path:
    """The server's folder of functions, empty until a test writes into it."""
    folder = tmp_path / "functions"
    folder.mkdir()
    return folder


@pytest.fixture
def code_interpreter() -> str:
    """Where code runs: nowhere, which starts sooner, except in the tests that are about it."""
    return "off"


@pytest.fixture
def api_url(
    endpoint: ModelEndpoint, tmp_path: Path, functions_dir: Path, code_interpreter: str
) -> Iterator[str]:
    """The address of the real API, running for this test."""
    more = {"code_interpreter": code_interpreter}
    with running_api(endpoint.base_url, tmp_path, functions_dir, **more) as url:
        yield url


@pytest.fixture
def client(api_url: str) -> OpenAI:
    return client_of(api_url)


@pytest.fixture
def open_page(api_url: str, monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Open a page by its file's name, with query parameters, as a browser does."""
    monkeypatch.setenv("STUDIO_API_URL", api_url)
    st.cache_resource.clear()

    def open_it(name: str, **query: str) -> AppTest:
        app = AppTest.from_file(str(MAIN), default_timeout=20)
        app.run()
        for key, value in query.items():
            app.query_params[key] = value
        if name != "assistants":
            app.switch_page(str(FOLDER / f"{name}.py"))
        return app.run()

    return open_it
