"""A folder of Python files whose functions the server offers as tools and runs itself.

The files are never imported here: their source is read for the definitions, and each call runs in
a process of its own.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lib.python_functions import PythonSourceError, read_functions

Json = dict[str, Any]

TIME_LIMIT = 60.0
"""Seconds that one call may take."""
_CHILD = Path(__file__).parent / "child.py"


@dataclass(frozen=True, slots=True)
class OfferedFunction:
    """A function of the folder. `definition` is the API's tool."""

    name: str
    file: Path
    definition: Json


@dataclass(frozen=True, slots=True)
class FolderProblem:
    """Why something in the folder is not offered, in a sentence."""

    file: str
    message: str


@dataclass(slots=True)
class Listing:
    functions: dict[str, OfferedFunction] = field(default_factory=dict)
    problems: list[FolderProblem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FunctionOutput:
    """What a call came to; of a call that failed, the words for the model."""

    output: str
    is_error: bool = False


class FunctionFolder:
    """The functions of one folder; without a folder there are none.

    `hidden_variables` are environment variables that no function gets to see.
    """

    def __init__(
        self,
        folder: Path | None,
        hidden_variables: Collection[str] = (),
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self._folder = folder
        self._hidden_variables = frozenset(hidden_variables)
        self._time_limit = time_limit

    async def listing(self) -> Listing:
        """What the folder offers at this moment; a file may be added or edited at any time."""
        return await asyncio.to_thread(self._read)

    async def names(self) -> set[str]:
        return set((await self.listing()).functions)

    async def run(self, name: str, arguments: str) -> FunctionOutput:
        """Run one call; whatever goes wrong is its output. Cancelling ends its process."""
        function = (await self.listing()).functions.get(name)
        if function is None:
            return FunctionOutput(f"This server has no function {name}.", is_error=True)
        try:
            given = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            return FunctionOutput("The arguments are not valid JSON.", is_error=True)
        if not isinstance(given, dict):
            return FunctionOutput("The arguments are not a JSON object.", is_error=True)
        request = {"file": str(function.file), "name": name, "arguments": given}
        try:
            return await self._run_child(json.dumps(request).encode())
        except OSError as error:
            return FunctionOutput(f"The function could not be started: {error}.", is_error=True)

    async def _run_child(self, request: bytes) -> FunctionOutput:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(_CHILD),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self._environment(),
            # A group of its own, so that what the function starts ends with it.
            start_new_session=True,
        )
        try:
            answer, _ = await asyncio.wait_for(process.communicate(request), self._time_limit)
        except TimeoutError:
            return FunctionOutput(
                f"The function was stopped: it took longer than {self._time_limit:g} seconds.",
                is_error=True,
            )
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        return _read_answer(answer, process.returncode)

    def _environment(self) -> dict[str, str]:
        return {
            name: value
            for name, value in os.environ.items()
            if name.upper() not in self._hidden_variables
        }

    def _read(self) -> Listing:
        listing = Listing()
        if self._folder is None:
            return listing
        if not self._folder.is_dir():
            listing.problems.append(FolderProblem(str(self._folder), "This folder does not exist."))
            return listing
        for file in sorted(self._folder.glob("*.py")):
            if not file.name.startswith("_"):
                _read_file(file.resolve(), listing)
        return listing


def _read_file(file: Path, listing: Listing) -> None:
    try:
        functions = read_functions(file.read_text(encoding="utf-8"))
    except (PythonSourceError, OSError, UnicodeDecodeError) as error:
        listing.problems.append(FolderProblem(file.name, str(error)))
        return
    for function in functions:
        if function.name in listing.functions:
            other = listing.functions[function.name].file.name
            message = f"{function.name} is left out: {other} has a function of the same name."
            listing.problems.append(FolderProblem(file.name, message))
            continue
        definition = {
            "type": "function",
            "function": {
                "name": function.name,
                "description": function.description,
                "parameters": function.parameters,
                "strict": False,
            },
        }
        listing.functions[function.name] = OfferedFunction(function.name, file, definition)


def _read_answer(answer: bytes, status: int | None) -> FunctionOutput:
    try:
        result = json.loads(answer)
    except ValueError:
        return FunctionOutput(
            f"The function's process ended without an answer (status {status}).", is_error=True
        )
    if "error" in result:
        return FunctionOutput(f"The function failed: {result['error']}", is_error=True)
    return FunctionOutput(str(result["output"]))
