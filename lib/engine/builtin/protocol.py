"""What a tool is that the engine itself runs: code_interpreter, file_search."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lib.models.provider import FunctionTool
from lib.store.tables import Json, RunRow, StepRow

Emit = Callable[[Json], None]
"""Tells those who follow the run what joins the call's section."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call: what the model wrote, in which run, for which `tools` entry of the run."""

    run: RunRow
    call_id: str
    arguments: str
    definition: Json
    section: Json
    """The call as clients see it: what is put in here is kept even when the call is cut short."""
    earlier: int
    """How many calls of this tool the run made before."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`output` is what the model is told.

    `state` is the tool's own memory of the call, as JSON: what its answers need later.
    `has_result` is False when the call failed or showed nothing, so that another try is due.
    """

    output: str
    state: Json = field(default_factory=dict)
    has_result: bool = True


@dataclass(frozen=True, slots=True)
class Addition:
    """Text to say next, with the annotations that stand in it."""

    text: str = ""
    annotations: list[Json] = field(default_factory=list)


class Shaper(Protocol):
    """Turns what the model says into what clients read, given a run's tool calls so far."""

    def opening(self) -> list[Json]:
        """Content parts that stand before the text."""
        ...

    def feed(self, text: str) -> Addition: ...

    def finish(self, said: str) -> Addition:
        """What is left to say when the text `said` is whole."""
        ...

    def attachments(self, said: str) -> list[Json]: ...


class BuiltinTool(Protocol):
    """`type` is the API's tool type, and the function name that the model sees."""

    @property
    def type(self) -> str: ...

    async def declare(self, run: RunRow, definition: Json) -> FunctionTool:
        """The tool as a function for the model. Raises ModelError where it cannot be used."""
        ...

    def begin(self) -> Json:
        """The section of a call that has just begun."""
        ...

    def written(self, arguments: str) -> str:
        """The call's input as far as the model has written it; empty where none is shown."""
        ...

    async def run(self, invocation: Invocation, emit: Emit) -> Outcome:
        """Run one call. Whatever goes wrong inside is told to the model, never raised."""
        ...

    async def shaper(self, run: RunRow, steps: Sequence[StepRow], fresh: int) -> Shaper:
        """For an answer after these steps of the run, oldest first; the last `fresh` are new."""
        ...

    async def forget(self, thread_id: str) -> None:
        """A thread was deleted: nothing of it is needed any more."""
        ...


def states_of(steps: Sequence[StepRow], tool_type: str) -> list[Json]:
    """The states of one tool's calls, in the order in which they were made."""
    return [
        step.tool_states.get(call["id"], {})
        for step in steps
        for call in step.step_details["tool_calls"]
        if call["type"] == tool_type
    ]
