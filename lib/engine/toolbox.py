"""The tools of one run: functions, which its caller answers, and those that the engine runs."""

from collections.abc import Mapping, Sequence

from lib.engine.answer import Answer
from lib.engine.builtin.protocol import BuiltinTool
from lib.models.provider import FunctionTool, ModelError
from lib.store.tables import Json, RunRow, StepRow

BuiltinTools = Mapping[str, BuiltinTool]


class Toolbox:
    def __init__(self, builtin: BuiltinTools, run: RunRow) -> None:
        self._builtin = builtin
        self._run = run

    async def declarations(self) -> list[FunctionTool]:
        """Every tool as a function for the model. Raises ModelError for one that is not there."""
        return [await self._declaration(definition) for definition in self._run.tools]

    def builtin(self, name: str) -> BuiltinTool | None:
        """The tool behind a function name that the model called, where the engine runs it."""
        is_on = any(definition["type"] == name for definition in self._run.tools)
        return self._builtin.get(name) if is_on else None

    def definition(self, tool: BuiltinTool) -> Json:
        return next(item for item in self._run.tools if item["type"] == tool.type)

    async def answer(self, steps: Sequence[StepRow], fresh: int) -> Answer:
        """The shaping of a message that follows these tool steps; `fresh` as in `shaper`."""
        kinds = {definition["type"] for definition in self._run.tools}
        tools = [tool for tool in self._builtin.values() if tool.type in kinds]
        return Answer([await tool.shaper(self._run, steps, fresh) for tool in tools])

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
