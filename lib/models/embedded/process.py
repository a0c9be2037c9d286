"""One run of the model server: a child process on a loopback port chosen by the system."""

import asyncio
import json
import os
import secrets
import sys
from pathlib import Path

import httpx

LOAD_PATIENCE = 180.0
"""Seconds until a model that is still loading is given up."""
_STOP_PATIENCE = 1.0
_THREADS_WAIT = {"GOMP_SPINCOUNT": "500"}
"""Threads that wait for each other soon sleep: spinning on, they keep a processor from the very
thread they wait for, and on a busy machine answers take five times as long and more."""


class ServerFailedError(Exception):
    """The model server did not come up. The text is a clause saying why."""


class ServerProcess:
    """A running model server. Nothing but this process knows its key."""

    def __init__(self, child: asyncio.subprocess.Process, url: str, key: str) -> None:
        self._child = child
        self.url = url
        self.key = key

    @classmethod
    async def launch(cls, path: Path, name: str) -> "ServerProcess":
        """Start a server over an absolute path and wait until it answers.

        Raises ServerFailedError.
        """
        key = secrets.token_urlsafe(24)
        child = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "lib.models.embedded.server", str(path), name],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=Path(__file__).parents[3],
            env={**os.environ, **_THREADS_WAIT},
        )
        try:
            url = await _address(child, key)
            await _check_health(url)
        except BaseException:
            await _end(child)
            raise
        return cls(child, url, key)

    @property
    def pid(self) -> int:
        return self._child.pid

    async def ended(self) -> None:
        """Returns when the process is gone, for whatever reason."""
        await self._child.wait()

    async def stop(self) -> None:
        """End the process within about a second."""
        await _end(self._child)


async def _address(child: asyncio.subprocess.Process, key: str) -> str:
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write(key.encode() + b"\n")
        await child.stdin.drain()
        async with asyncio.timeout(LOAD_PATIENCE):
            line = await child.stdout.readline()
        answer = json.loads(line)
    except TimeoutError:
        raise ServerFailedError(f"it did not load within {LOAD_PATIENCE:.0f} seconds") from None
    except (OSError, ValueError):
        raise ServerFailedError("its process ended while loading") from None
    if "url" not in answer:
        raise ServerFailedError(answer["error"])
    return str(answer["url"])


async def _check_health(url: str) -> None:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            answer = await client.get(f"{url}/health")
    except httpx.HTTPError:
        raise ServerFailedError("it does not answer on its port") from None
    if answer.status_code != httpx.codes.OK:
        raise ServerFailedError("it does not call itself ready")


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    try:
        child.terminate()
        async with asyncio.timeout(_STOP_PATIENCE):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
    except ProcessLookupError:
        await child.wait()
