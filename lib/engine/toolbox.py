"""The tools of one run: functions, which its caller answers, and those that the engine runs."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from lib.engine.answer import Answer
from lib.engine.builtin.protocol import BuiltinTool
from lib.models.provider import FunctionTool, ModelError
from lib.store.tables import Json, RunRow, StepRow
from lib.tools.functions.folder import FunctionOutput

BuiltinTools = Mapping[str, BuiltinTool]


class Functions(Protocol):
    """The functions that this server can run itself."""

    async def names(self) -> set[str]: ...

    async def run(self, name: str, arguments: str) -> FunctionOutput: ...


class Toolbox:
    def __init__(self, builtin: BuiltinTools, functions: Functions, run: RunRow) -> None:
        self._builtin = builtin
        self._functions = functions
        self._run = run

    async def declarations(self) -> list[FunctionTool]:
        """Every tool as a function for the model. Raises ModelError for one that is not there."""
        return [await self._declaration(definition) for definition in self._run.tools]

    def builtin(self, name: str) -> BuiltinTool | None:
        """The tool behind a function name that the model called, where the engine runs it."""
        is_on = any(definition["type"] == name for definition in self._run.tools)
        return self._builtin.get(name) if is_on else None

    async def runs_by_itself(self, name: str) -> bool:
        """True for a function that this server has and that the run lets it run unasked."""
        return name in self._unasked() and name in await self._functions.names()

    async def run_function(self, name: str, arguments: str) -> str:
        """The output of a function that runs by itself; its errors are its output."""
        return (await self._functions.run(name, arguments)).output

    def definition(self, tool: BuiltinTool) -> Json:
        return next(item for item in self._run.tools if item["type"] == tool.type)

    async def answer(self, steps: Sequence[StepRow], fresh: int) -> Answer:
        """The shaping of a message that follows these tool steps; `fresh` as in `shaper`."""
        kinds = {definition["type"] for definition in self._run.tools}
        tools = [tool for tool in self._builtin.values() if tool.type in kinds]
        return Answer([await tool.shaper(self._run, steps, fresh) for tool in tools])

    def _unasked(self) -> set[str]:
        functions = [item["function"] for item in self._run.tools if item["type"] == "function"]
        return {function["name"] for function in functions if function.get("run") == "auto"}

    async def _declaration(self, definition: Json) -> FunctionTool:
        if definition["type"] == "function":
            return _function(definition["function"])
        tool = self._builtin.get(definition["type"])
        if tool is None:
            raise ModelError(
                "server_error",
                f"The {definition['type']} tool is not available on this server. "
                "Take it off the assistant, or run without it.",
            )
        return await tool.declare(self._run, definition)


def _function(function: Json) -> FunctionTool:
    return FunctionTool(
        name=function["name"],
        description=function.get("description"),
        parameters=function.get("parameters") or {"type": "object", "properties": {}},
        strict=bool(function.get("strict")),
    )
