"""The real API for tests of the dashboard: served over HTTP on a free port, models by a double."""

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from openai import OpenAI
from starlette.applications import Starlette
from starlette.routing import Mount

from lib.api.app import create_api
from lib.settings import Settings
from lib.studio import run_studio


@contextmanager
def running_api(
    model_base_url: str, data_dir: Path, functions_dir: Path | None = None, **more: Any
) -> Iterator[str]:
    """Serve the API until the block ends; gives its address, `/v1` included."""
    settings = Settings.model_validate(
        {
            "model_base_url": model_base_url,
            "model_api_key": "key-of-the-double",
            "model": "gpt-4o-mini",
            "model_api": "chat_completions",
            "data_dir": data_dir,
            "functions_dir": functions_dir,
            "embedder": "off",
            **more,
        }
    )
    server = uvicorn.Server(
        uvicorn.Config(_app(settings), host="127.0.0.1", port=0, log_level="error")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the API did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def client_of(api_url: str) -> OpenAI:
    """An SDK client of that API."""
    return OpenAI(base_url=api_url, api_key="no-key-needed", max_retries=0)


def _app(settings: Settings) -> Starlette:
    api = create_api()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with run_studio(settings) as studio:
            api.state.studio = studio
            yield {}

    return Starlette(routes=[Mount("/v1", app=api)], lifespan=lifespan)
