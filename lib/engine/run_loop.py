"""A run's work: claim it, let the model reply, run what it calls, until the run rests.

`advance` keeps nothing in memory that the rows do not say: killed at any point and called again,
it goes on from there.
"""

import asyncio
import json
import logging
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Protocol

from sqlalchemy.orm import Session

from lib.engine import transitions
from lib.engine.context import History, PromptTooLongError, fit, halve, read_history
from lib.engine.errors import RunLostError
from lib.engine.events import EventLog, EventSink
from lib.engine.reply import ClaimedRun, Reply, complete_step, usage_from_json, usage_json
from lib.engine.runs import ToolOutput, calls_without_output, take_outputs, waiting_step
from lib.models.provider import (
    ContextTooLongError,
    Finished,
    FunctionTool,
    ModelError,
    ModelProvider,
    ModelRequest,
    ToolRound,
    Turn,
    Usage,
)
from lib.store.blobs import Blobs
from lib.store.database import StorageError, Store
from lib.store.tables import Json, RunRow
from lib.tools.functions.folder import FunctionOutput

logger = logging.getLogger(__name__)

_API_DEFAULT = 1.0
_FILTERED: Json = {
    "code": "server_error",
    "message": "The model endpoint's content filter stopped the answer. Ask in other words.",
}
_INTERNAL: Json = {
    "code": "server_error",
    "message": "The server made a mistake on this run; its console says more. Try again.",
}
ANSWERED_BY_SERVER = "server"
"""Who answered a call that this server ran itself."""
_ANSWER_SHARE = 4
"""A quarter of the context window is left for the answer."""


class Models(Protocol):
    """Where models are found by the names that assistants use."""

    async def resolve(self, requested: str) -> tuple[ModelProvider, str]: ...


class Functions(Protocol):
    """The functions that this server can run itself."""

    async def names(self) -> set[str]: ...

    async def run(self, name: str, arguments: str) -> FunctionOutput: ...


@dataclass(frozen=True, slots=True)
class _Work:
    """A run as claimed, with all that the next model call needs."""

    claimed: ClaimedRun
    run: RunRow
    history: History


class LimitReachedError(Exception):
    """The run may use no more tokens. `reason` is its `incomplete_details.reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FilteredError(Exception):
    """The model endpoint's content filter cut the reply off."""


class RunLoop:
    """Advances runs. One for a process; every run is a call of `advance`."""

    def __init__(
        self, store: Store, log: EventLog, blobs: Blobs, models: Models, functions: Functions
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._log = log
        self._models = models
        self._functions = functions

    async def advance(self, run_id: str) -> None:
        """Work on a run until it waits for somebody, or is over. Never raises for a run's own sake.

        Cancelling the task lets go of the run with what was said so far kept; the run's state is
        for the one who cancelled to settle. Raises StorageError when nothing can be written.
        """
        try:
            work = await self._log.write(partial(_claim, run_id=run_id, blobs=self._blobs))
        except RunLostError:
            return
        claimed = work.claimed
        try:
            while await self._take_step(work):
                work = await self._store.read(
                    partial(_read_work, claimed=claimed, blobs=self._blobs)
                )
        except RunLostError:
            return
        except ModelError as error:
            await self._fail(claimed, {"code": error.code, "message": error.message})
        except FilteredError:
            await self._fail(claimed, _FILTERED, "content_filter")
        except LimitReachedError as limit:
            await self._stop_incomplete(claimed, limit.reason)
        except StorageError:
            raise
        except Exception:
            logger.exception("Run %s failed inside the server", run_id)
            await self._fail(claimed, _INTERNAL)

    async def _take_step(self, work: _Work) -> bool:
        """One reply of the model and what follows from it. True when the model is to go on."""
        claimed = work.claimed
        provider, model = await self._models.resolve(work.run.model)
        reply = Reply(self._log, claimed)
        try:
            finished = await self._stream(provider, model, work, reply)
        except (asyncio.CancelledError, ModelError):
            await self._keep_partial(claimed, reply)
            raise
        return await self._settle(work, reply, finished)

    async def _stream(
        self, provider: ModelProvider, model: str, work: _Work, reply: Reply
    ) -> Finished:
        history: History | None = work.history
        while history is not None:
            request = await _request(provider, model, work.run, history)
            try:
                return await _stream_into(reply, provider, request)
            except ContextTooLongError as error:
                # The endpoint knows its window better than we do: give it less.
                history = halve(history)
                if history is None:
                    raise ModelError(error.code, error.message) from error
        raise AssertionError("unreachable")

    async def _settle(self, work: _Work, reply: Reply, finished: Finished) -> bool:
        claimed = work.claimed
        if finished.reason == "length":
            await self._keep_partial(claimed, reply, finished)
            raise LimitReachedError("max_completion_tokens")
        if finished.reason == "content_filter":
            await self._keep_partial(claimed, reply, finished)
            raise FilteredError
        run_by_itself = await self._functions_without_asking(work.run)

        def settle(session: Session, events: EventSink) -> list[Json]:
            run = transitions.owned(session, claimed.id, claimed.attempt)
            _count(run, finished)
            step = reply.settle(session, events, finished.usage, finished.replay)
            if step is None:
                transitions.complete(session, events, run)
                return []
            calls = calls_without_output(step)
            own_calls = [call for call in calls if call["function"]["name"] in run_by_itself]
            if not own_calls:
                transitions.require_action(events, run, _calls_to_answer(calls))
            return own_calls

        own_calls = await self._log.write(settle)
        return await self._run_own_calls(claimed, own_calls) if own_calls else False

    async def _functions_without_asking(self, run: RunRow) -> set[str]:
        """The functions that the run's tools let this server run, of those that it has."""
        allowed = {
            tool["function"]["name"]
            for tool in run.tools
            if tool["type"] == "function" and tool["function"].get("run") == "auto"
        }
        return allowed & await self._functions.names() if allowed else set()

    async def _run_own_calls(self, claimed: ClaimedRun, calls: list[Json]) -> bool:
        """Run these calls here. True when none of their round waits for somebody else."""
        functions = [call["function"] for call in calls]
        results = await asyncio.gather(
            *(self._functions.run(one["name"], one["arguments"]) for one in functions)
        )
        outputs = [
            ToolOutput(call["id"], result.output, ANSWERED_BY_SERVER)
            for call, result in zip(calls, results, strict=True)
        ]

        def record(session: Session, events: EventSink) -> bool:
            run = transitions.owned(session, claimed.id, claimed.attempt)
            step = waiting_step(session, run.id)
            take_outputs(step, outputs)
            waiting = calls_without_output(step)
            if waiting:
                transitions.require_action(events, run, _calls_to_answer(waiting))
                return False
            complete_step(events, step)
            return True

        return await self._log.write(record)

    async def _keep_partial(
        self, claimed: ClaimedRun, reply: Reply, finished: Finished | None = None
    ) -> None:
        def keep(session: Session, _events: EventSink) -> None:
            reply.save_partial(session, finished.usage if finished else None)
            if finished:
                _count(transitions.owned(session, claimed.id, claimed.attempt), finished)

        with suppress(RunLostError):
            await self._log.write(keep)

    async def _fail(
        self, claimed: ClaimedRun, error: Json, message_reason: str = "run_failed"
    ) -> None:
        def fail(session: Session, events: EventSink) -> None:
            run = transitions.owned(session, claimed.id, claimed.attempt)
            transitions.fail(session, events, run, error, message_reason)

        with suppress(RunLostError):
            await self._log.write(fail)

    async def _stop_incomplete(self, claimed: ClaimedRun, reason: str) -> None:
        def stop(session: Session, events: EventSink) -> None:
            run = transitions.owned(session, claimed.id, claimed.attempt)
            transitions.stop_incomplete(session, events, run, reason)

        with suppress(RunLostError):
            await self._log.write(stop)


async def _stream_into(reply: Reply, provider: ModelProvider, request: ModelRequest) -> Finished:
    async with aclosing(provider.stream(request)) as events:
        async for event in events:
            if isinstance(event, Finished):
                return event
            await reply.take(event)
    raise ModelError("server_error", "The model's answer broke off. Try again.")


async def _request(
    provider: ModelProvider, model: str, run: RunRow, history: History
) -> ModelRequest:
    """The next model call, within every limit that the run sets. Raises LimitReachedError."""
    used = usage_from_json(run.usage)
    tools = [_tool(tool) for tool in run.tools]
    return ModelRequest(
        model=model,
        instructions=run.instructions,
        turns=await _turns_within_budget(provider, model, run, history, tools, used),
        tools=tools,
        tool_choice=_tool_choice(run, history),
        parallel_tool_calls=run.parallel_tool_calls,
        temperature=_unless_default(run.temperature),
        top_p=_unless_default(run.top_p),
        max_output_tokens=_completion_tokens_left(run, used),
        response_format=None if run.response_format == "auto" else run.response_format,
        reasoning_effort=run.reasoning_effort,
    )


async def _turns_within_budget(
    provider: ModelProvider,
    model: str,
    run: RunRow,
    history: History,
    tools: list[FunctionTool],
    used: Usage,
) -> list[Turn]:
    window = await provider.context_window(model)
    limits = [] if window is None else [window - window // _ANSWER_SHARE]
    if run.max_prompt_tokens is not None:
        limits.append(run.max_prompt_tokens - used.prompt)
    budget = min(limits) if limits else None
    fixed = run.instructions + json.dumps([asdict(tool) for tool in tools])
    try:
        return await fit(history, fixed, budget, provider.count_tokens)
    except PromptTooLongError:
        if run.max_prompt_tokens is not None:
            raise LimitReachedError("max_prompt_tokens") from None
        raise ModelError(
            "invalid_prompt",
            f"The newest message and the instructions do not fit the {window} tokens that "
            f"{model} can hold. Shorten them, or choose a model with a larger context.",
        ) from None


def _completion_tokens_left(run: RunRow, used: Usage) -> int | None:
    if run.max_completion_tokens is None:
        return None
    left = run.max_completion_tokens - used.completion
    if left <= 0:
        raise LimitReachedError("max_completion_tokens")
    return left


def _tool_choice(run: RunRow, history: History) -> str | Json:
    # A forced call is forced once; asked for again after its output, it would never end.
    has_called = isinstance(history.turns[-1], ToolRound) if history.turns else False
    choice: str | Json = run.tool_choice or "auto"
    return "auto" if has_called and choice not in ("none", "auto") else choice


def _unless_default(value: float | None) -> float | None:
    # 1.0 is what the API fills in when nobody chose; some models refuse even that value.
    return None if value == _API_DEFAULT else value


def _tool(tool: Json) -> FunctionTool:
    if tool["type"] != "function":
        raise ModelError(
            "server_error",
            f"The {tool['type']} tool is not available on this server. "
            "Take it off the assistant, or run without it.",
        )
    function = tool["function"]
    return FunctionTool(
        name=function["name"],
        description=function.get("description"),
        parameters=function.get("parameters") or {"type": "object", "properties": {}},
        strict=bool(function.get("strict")),
    )


def _calls_to_answer(calls: list[Json]) -> list[Json]:
    return [
        {
            "id": call["id"],
            "type": "function",
            "function": {
                "name": call["function"]["name"],
                "arguments": call["function"]["arguments"],
            },
        }
        for call in calls
    ]


def _count(run: RunRow, finished: Finished) -> None:
    run.usage = usage_json(usage_from_json(run.usage) + finished.usage)
    run.answered_by = finished.model


def _claim(session: Session, events: EventSink, run_id: str, blobs: Blobs) -> _Work:
    run = transitions.claim(session, events, run_id)
    session.flush()
    claimed = ClaimedRun(run.id, run.thread_id, run.assistant_id, run.attempt)
    return _Work(claimed, run, read_history(session, run, blobs))


def _read_work(session: Session, claimed: ClaimedRun, blobs: Blobs) -> _Work:
    run = transitions.owned(session, claimed.id, claimed.attempt)
    return _Work(claimed, run, read_history(session, run, blobs))
