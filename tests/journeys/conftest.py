"""The whole product in a process of its own, and a browser in front of it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import httpx
import pytest
from openai import OpenAI
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.doubles.model_endpoint import ModelEndpoint

Shot = Callable[[Page, str], None]

ROOT = Path(__file__).parents[2]
WIDTH, HEIGHT = 1280, 800
THEMES: list[Literal["light", "dark"]] = ["light", "dark"]
MILLISECONDS_TO_SETTLE = 700
SCROLLED = "[data-testid=stMain], [data-testid=stAppScrollToBottomContainer]"
"""What holds a page; the second where it follows a chat."""
SECONDS_TO_START = 120
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def code_interpreter() -> str:
    """The setting; a sandbox takes two seconds to start, which only some journeys need."""
    return "off"


@pytest.fixture
def studio(endpoint: ModelEndpoint, tmp_path: Path, code_interpreter: str) -> Iterator[str]:
    """The address of the product, its model a double."""
    settings = {
        "CODE_INTERPRETER": code_interpreter,
        "MODEL_BASE_URL": endpoint.base_url,
        "MODEL_API": "chat_completions",
        "MODEL": "gpt-4o-mini",
        "EMBEDDER": "off",
    }
    with running_product(tmp_path, settings) as address:
        yield address


@contextmanager
def running_product(tmp_path: Path, settings: dict[str, str]) -> Iterator[str]:
    """Start the product as a user starts it. Yields its address."""
    environment = {**os.environ, "DATA_DIR": str(tmp_path / "data"), **settings}
    # The SDK in the tests insists on a key; the product would take it for one of OpenAI's.
    environment.pop("OPENAI_API_KEY", None)
    port = _free_port()
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py"]
    with (tmp_path / "console.log").open("wb") as console:
        process = subprocess.Popen(
            [*command, "--server.port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=console,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_it_answers(port, process, tmp_path / "console.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture
def client(studio: str) -> OpenAI:
    """An SDK client of the running product."""
    return OpenAI(base_url=f"{studio}/v1", api_key="no-key-needed")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for all journeys. It ends with them: its event loop would be in others' way."""
    with sync_playwright() as playwright:
        executable = shutil.which("chromium") or playwright.chromium.executable_path
        assert Path(executable).exists(), "run `python -m playwright install chromium` first"
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A browser's tab with nothing remembered."""
    expect.set_options(timeout=60_000)
    size: ViewportSize = {"width": WIDTH, "height": HEIGHT}
    context = browser.new_context(viewport=size, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def shot() -> Shot:
    """Saves all that a page shows, light and dark, in the folder that SCREENSHOTS names."""
    folder = os.environ.get("SCREENSHOTS")

    def save(page: Page, name: str) -> None:
        if folder is None:
            return
        page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        # What was drawn before stays until the page has been drawn anew.
        page.locator("[data-test-script-state=notRunning]").wait_for()
        page.wait_for_timeout(MILLISECONDS_TO_SETTLE)
        whole = page.locator(SCROLLED).evaluate("element => element.scrollHeight")
        page.set_viewport_size({"width": WIDTH, "height": max(HEIGHT, whole)})
        page.mouse.move(0, 0)
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            page.wait_for_timeout(MILLISECONDS_TO_SETTLE)
            page.screenshot(path=Path(folder) / f"{name}-{theme}.png")
        page.emulate_media(color_scheme="light")

    return save


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_answers(port: int, process: subprocess.Popen[bytes], console: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the product ended at its start: {console.read_text()}"
        try:
            if httpx.get(f"http://127.0.0.1:{port}/v1/health").status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise AssertionError(f"the product did not answer: {console.read_text()}")
