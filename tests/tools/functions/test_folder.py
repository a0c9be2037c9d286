import asyncio
import json
import os
import time
from pathlib import Path

import pytest

from lib.tools.functions.folder import FunctionFolder, FunctionOutput

TOOLS = '''
"""Helpers of an office."""
import dataclasses
import datetime
import os
import sys
import time

print("printed while loading")

def add(first: int, second: int = 2) -> int:
    """Adds two numbers.

    Args:
        first: The one.
    """
    print("printed while running")
    return first + second

def tomorrow(day: datetime.date) -> datetime.date:
    return day + datetime.timedelta(days=1)

async def greet(name: str) -> dict:
    return {"greeting": f"Hello {name} \u2603"}

def fail() -> str:
    raise ValueError("no such room")

def leave() -> str:
    sys.exit(3)

def vanish() -> str:
    os._exit(4)

def sleep_long() -> str:
    time.sleep(600)
    return "late"

def environment() -> dict:
    return dict(os.environ)

def _hidden() -> str:
    return "never"
'''


@pytest.fixture
def folder(tmp_path: Path) -> FunctionFolder:
    (tmp_path / "office.py").write_text(TOOLS)
    return FunctionFolder(tmp_path, {"MODEL_API_KEY"}, time_limit=30)


async def run(folder: FunctionFolder, function: str, /, **arguments: object) -> FunctionOutput:
    return await folder.run(function, json.dumps(arguments))


async def test_public_functions_are_offered_with_their_schema(folder: FunctionFolder) -> None:
    listing = await folder.listing()

    assert "_hidden" not in listing.functions
    assert listing.problems == []
    assert listing.functions["add"].definition == {
        "type": "function",
        "function": {
            "name": "add",
            "description": "Adds two numbers.",
            "parameters": {
                "type": "object",
                "properties": {
                    "first": {"type": "integer", "description": "The one."},
                    "second": {"type": "integer", "default": 2},
                },
                "required": ["first"],
            },
            "strict": False,
        },
    }


async def test_without_a_folder_nothing_is_offered() -> None:
    assert await FunctionFolder(None).names() == set()


async def test_what_cannot_be_offered_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def twice(): pass")
    (tmp_path / "b.py").write_text("def twice(): pass")
    (tmp_path / "c.py").write_text("def broken(:")

    listing = await FunctionFolder(tmp_path).listing()

    assert list(listing.functions) == ["twice"]
    assert [problem.file for problem in listing.problems] == ["b.py", "c.py"]


async def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    listing = await FunctionFolder(tmp_path / "nowhere").listing()

    assert listing.problems[0].message == "This folder does not exist."


async def test_listing_runs_nothing(tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    (tmp_path / "a.py").write_text(f"open({str(witness)!r}, 'w')\ndef f(): pass")

    await FunctionFolder(tmp_path).listing()

    assert not witness.exists()


async def test_a_call_gives_its_result_as_text(folder: FunctionFolder) -> None:
    assert await run(folder, "add", first=40) == FunctionOutput("42")
    assert (await run(folder, "greet", name="Ada")).output == '{"greeting":"Hello Ada ☃"}'


async def test_arguments_become_the_types_that_the_function_asks_for(
    folder: FunctionFolder,
) -> None:
    assert (await run(folder, "tomorrow", day="2026-11-22")).output == '"2026-11-23"'


FAILURES = {
    "fail": "The function failed: ValueError: no such room",
    "leave": "The function failed: SystemExit: 3",
    "vanish": "The function's process ended without an answer (status 4).",
    "unknown": "This server has no function unknown.",
    "add": "The function failed: ValidationError: 1 validation error for add",
}


@pytest.mark.parametrize("name", FAILURES)
async def test_whatever_goes_wrong_is_the_output(folder: FunctionFolder, name: str) -> None:
    result = await run(folder, name)

    assert result.is_error
    assert result.output.startswith(FAILURES[name])


@pytest.mark.parametrize("arguments", ["{", "[1]", '"text"', "[" * 100_000])
async def test_arguments_that_are_no_object_are_the_output(
    folder: FunctionFolder, arguments: str
) -> None:
    result = await folder.run("add", arguments)

    assert result.is_error
    assert result.output.startswith("The arguments are not")


async def test_a_call_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import os, pathlib, subprocess, sys, time\n"
        "def slow(pid_file: str) -> str:\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "    pathlib.Path(pid_file).write_text(str(child.pid))\n"
        "    time.sleep(600)\n"
    )
    pid_file = tmp_path / "pid"

    result = await run(FunctionFolder(tmp_path, time_limit=5), "slow", pid_file=str(pid_file))

    assert result == FunctionOutput(
        "The function was stopped: it took longer than 5 seconds.", is_error=True
    )
    assert is_gone(int(pid_file.read_text()))


async def test_cancelling_a_call_ends_its_process(folder: FunctionFolder) -> None:
    call = asyncio.create_task(run(folder, "sleep_long"))
    await asyncio.sleep(0.5)

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call


async def test_secrets_of_the_server_are_hidden_from_functions(
    folder: FunctionFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_API_KEY", "very-secret")
    monkeypatch.setenv("MY_OWN", "visible")

    output = (await run(folder, "environment")).output

    assert "very-secret" not in output
    assert json.loads(output)["MY_OWN"] == "visible"


def is_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    os.kill(pid, 9)
    return False
