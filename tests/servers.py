"""The product as clients meet it: over real HTTP, in a thread or as a process of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
import uvicorn
from openai import AsyncOpenAI, BadRequestError, OpenAI
from starlette.applications import Starlette
from starlette.routing import Mount

from lib.api.app import create_api
from lib.settings import Settings
from lib.studio import Studio, run_studio

ROOT = Path(__file__).parent.parent
_START_TIMEOUT = 60.0


class Server:
    """What a test does with a running server, wherever it runs."""

    base_url: str
    _client: OpenAI | None = None

    def client(self) -> OpenAI:
        if self._client is None:
            self._client = OpenAI(base_url=self.base_url)
        return self._client

    def async_client(self) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=self.base_url)

    def end_all_runs(self) -> None:
        runs = self.client().beta.threads.runs
        with self.http() as http:
            active = {"status": ["queued", "in_progress", "requires_action", "cancelling"]}
            for run in http.get("runs", params=active).json()["data"]:
                with suppress(BadRequestError):
                    runs.cancel(run["id"], thread_id=run["thread_id"])
                runs.poll(run["id"], thread_id=run["thread_id"], poll_interval_ms=5)

    def http(self, **headers: str) -> httpx2.Client:
        """A plain client, for what the SDK would not send."""
        # Loading the certificates that `verify` needs takes longer than most tests.
        url = f"{self.base_url}/"
        return httpx2.Client(base_url=url, headers=headers, timeout=30, verify=False)


class ThreadServer(Server):
    """The API in a thread. Its state is the settings' DATA_DIR and nothing else."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(1024)
        self.base_url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self.studio: Studio | None = None
        config = uvicorn.Config(
            self._app(),
            log_level="error",
            access_log=False,
            ws="none",
            http="httptools",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            time.sleep(0.002)
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=20)
        self._socket.close()
        assert not self._thread.is_alive(), "the server did not stop"

    def _app(self) -> Starlette:
        api = create_api()

        @asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            async with run_studio(self._settings) as studio:
                api.state.studio = self.studio = studio
                yield

        return Starlette(routes=[Mount("/v1", app=api)], lifespan=lifespan)


class ProcessServer(Server):
    """The whole product as a user starts it: `streamlit run streamlit_app.py`."""

    def __init__(self, directory: Path, address: str = "127.0.0.1", **settings: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._output = (directory / "console.txt").open("a+")
        self._began = self._output.seek(0, os.SEEK_END)
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "streamlit_app.py")]
        options = {"port": "0", "address": address, "headless": "true", "fileWatcherType": "none"}
        for name, value in options.items():
            command += [f"--server.{name}", value]
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env={**inherited, "DATA_DIR": str(directory / "data"), **settings},
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        deadline = time.monotonic() + _START_TIMEOUT
        while not (found := re.search(r"http://[\d.]+:\d+", self.console)):
            assert self.process.poll() is None, f"the server did not start:\n{self.console}"
            assert time.monotonic() < deadline, f"the server says nothing:\n{self.console}"
            time.sleep(0.05)
        self.base_url = f"{found[0]}/v1"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self._output.close()

    @property
    def console(self) -> str:
        """What this process has printed so far."""
        self._output.seek(self._began)
        return self._output.read()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self, within: float) -> int:
        """Ask the process to end, as service managers do. Returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within)


def events_of(lines: Iterator[str]) -> Iterator[tuple[int, str, Any]]:
    """The id, name and payload of each server-sent event; the id of `done` is 0."""
    event: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif "data" in event:
            data = event["data"]
            payload = data if data == "[DONE]" else json.loads(data)
            yield int(event.get("id", 0)), event["event"], payload
            event = {}


@contextmanager
def run_events(
    server: Server, thread_id: str, run_id: str, after: int | None = None
) -> Iterator[Iterator[tuple[int, str, Any]]]:
    """The extension `GET …/runs/{id}/events`."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    path = f"threads/{thread_id}/runs/{run_id}/events"
    with server.http(**headers) as http, http.stream("GET", path) as response:
        assert response.status_code == 200
        yield events_of(response.iter_lines())
