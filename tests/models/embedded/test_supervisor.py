"""The model server comes up, comes back, and goes when it should."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx
import pytest

from lib.models.embedded import supervisor as supervisor_module
from lib.models.embedded.process import ServerProcess
from lib.models.embedded.state import EmbeddedState
from lib.models.embedded.supervisor import Supervisor
from lib.models.provider import ModelError
from tests.models.embedded.conftest import TINY, eventually

_PARENT_SCRIPT = """
import asyncio, sys
from pathlib import Path
from lib.models.embedded.supervisor import Supervisor

async def main():
    supervisor = Supervisor("smollm2-135m", Path(sys.argv[1]), lambda state: None)
    supervisor.start()
    print((await supervisor.server()).url, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_crashed_server_is_replaced(small_model_dir: Path) -> None:
    states: list[EmbeddedState] = []
    supervisor = Supervisor("smollm2-135m", small_model_dir, states.append)
    supervisor.start()
    first = await supervisor.server()

    os.kill(first.pid, signal.SIGKILL)
    await first.ended()
    await eventually(lambda: supervisor.state.phase != "ready")
    second = await supervisor.server()

    assert second.pid != first.pid
    assert [state.phase for state in states].count("ready") == 2
    await supervisor.close()


async def test_closing_leaves_no_process(small_model_dir: Path) -> None:
    supervisor = Supervisor("smollm2-135m", small_model_dir, lambda _state: None)
    supervisor.start()
    server = await supervisor.server()

    await supervisor.close()

    assert not _answers(server.url)


async def test_a_killed_parent_takes_the_server_along(small_model_dir: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _PARENT_SCRIPT,
        str(small_model_dir),
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    url = (await parent.stdout.readline()).decode().strip()

    parent.kill()
    await parent.wait()

    await eventually(lambda: not _answers(url))


async def test_the_server_listens_on_the_loopback_only(small_model_dir: Path) -> None:
    supervisor = Supervisor("smollm2-135m", small_model_dir, lambda _state: None)
    supervisor.start()
    server = await supervisor.server()

    # A server on all addresses would answer on this one too.
    elsewhere = server.url.replace("127.0.0.1", "127.0.0.2")

    assert _answers(server.url)
    assert not _answers(elsewhere)
    await supervisor.close()


async def test_too_many_crashes_are_a_failure_that_says_so(
    small_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "RESTART_PAUSES", (0.0,))
    supervisor = Supervisor("smollm2-135m", small_model_dir, lambda _state: None)
    supervisor.start()

    for _crash in range(2):
        server: ServerProcess = await supervisor.server()
        os.kill(server.pid, signal.SIGKILL)
        await server.ended()
        await eventually(lambda: supervisor.state.phase != "ready")

    with pytest.raises(ModelError, match="crashed 2 times"):
        await supervisor.server()
    await supervisor.close()


async def test_a_file_that_llama_cpp_cannot_load_fails_clearly_until_retried(
    small_model_dir: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(TINY)
    supervisor = Supervisor(str(own), tmp_path, lambda _state: None)
    supervisor.start()
    with pytest.raises(ModelError, match="could not be started"):
        await supervisor.server()

    own.unlink()
    own.symlink_to(small_model_dir / "models" / "smollm2-135m-instruct-q4_1.gguf")
    supervisor.retry()
    await eventually(lambda: supervisor.state.phase == "ready")

    await supervisor.close()


async def test_a_choice_that_means_nothing_fails_without_stopping_the_app(tmp_path: Path) -> None:
    supervisor = Supervisor("gpt-9", tmp_path, lambda _state: None)

    supervisor.start()

    with pytest.raises(ModelError, match="EMBEDDED_MODEL cannot be used"):
        await supervisor.server()
    await supervisor.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False).is_success
    except httpx.TransportError:
        return False
