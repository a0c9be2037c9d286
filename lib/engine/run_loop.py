"""A run's work: claim it, let the model reply, run what it calls, until the run rests.

`advance` keeps nothing in memory that the rows do not say: killed at any point and called again,
it goes on from there.
"""

import asyncio
import json
import logging
import time
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Protocol

from sqlalchemy.orm import Session

from lib.engine import transitions
from lib.engine.builtin.protocol import Invocation, states_of
from lib.engine.context import History, PromptTooLongError, fit, halve, read_history
from lib.engine.errors import RunLostError
from lib.engine.events import EventLog, EventSink
from lib.engine.model_calls import ModelCall, Prices
from lib.engine.reply import ClaimedRun, Reply, complete_step
from lib.engine.toolbox import BuiltinTools, Functions, Toolbox
from lib.engine.usage import usage_from_json, usage_json
from lib.models.provider import (
    ContextTooLongError,
    Finished,
    FunctionTool,
    ModelError,
    ModelProvider,
    ModelRequest,
    Turn,
    Usage,
)
from lib.store.blobs import Blobs
from lib.store.database import StorageError, Store
from lib.store.tables import Json, ModelCallRow, RunRow

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
_ANSWER_SHARE = 4
"""A quarter of the context window is left for the answer."""


class Models(Protocol):
    """Where models are found by the names that assistants use."""

    async def resolve(self, requested: str) -> tuple[ModelProvider, str]: ...


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
        self,
        store: Store,
        log: EventLog,
        blobs: Blobs,
        models: Models,
        builtin: BuiltinTools,
        functions: Functions,
        prices: Prices,
        max_tool_rounds: int,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._log = log
        self._models = models
        self._builtin = builtin
        self._functions = functions
        self._prices = prices
        self._max_tool_rounds = max_tool_rounds

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
                _check_rounds(work.history, self._max_tool_rounds)
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
        toolbox = Toolbox(self._builtin, self._functions, work.run)
        answer = await toolbox.answer(work.history.tool_steps, work.history.fresh)
        reply = Reply(self._log, claimed, toolbox, answer)
        try:
            call, finished = await self._stream(provider, model, work, toolbox, reply)
            reply.finish_text()
            goes_on = await self._settle(claimed, reply, call, finished)
            if goes_on:
                await self._run_tools(work, toolbox, reply)
        except (asyncio.CancelledError, ModelError):
            await self._keep_partial(claimed, reply)
            raise
        return goes_on

    async def _stream(
        self, provider: ModelProvider, model: str, work: _Work, toolbox: Toolbox, reply: Reply
    ) -> tuple[ModelCall, Finished]:
        history: History | None = work.history
        tools = await toolbox.declarations()
        while history is not None:
            request = await _request(provider, model, work.run, history, tools)
            call = ModelCall(request, self._prices)
            try:
                return call, await _stream_into(reply, provider, call)
            except ModelError as error:
                await self._record(work.claimed, reply, call, error)
                if not isinstance(error, ContextTooLongError):
                    raise
                # The endpoint knows its window better than we do: give it less.
                history = halve(history)
                if history is None:
                    raise ModelError(error.code, error.message) from error
        raise AssertionError("unreachable")

    async def _settle(
        self, claimed: ClaimedRun, reply: Reply, call: ModelCall, finished: Finished
    ) -> bool:
        record = call.as_row(claimed.id, reply.step_id, finished, None)
        if finished.reason == "length":
            await self._keep_partial(claimed, reply, finished, record)
            raise LimitReachedError("max_completion_tokens")
        if finished.reason == "content_filter":
            await self._keep_partial(claimed, reply, finished, record)
            raise FilteredError

        def settle(session: Session, events: EventSink) -> bool:
            run = transitions.owned(session, claimed.id, claimed.attempt)
            _count(run, finished)
            session.add(record)
            step = reply.settle(session, events, finished.usage, finished.replay)
            if step is None:
                transitions.complete(session, events, run)
                return False
            if any(call.runs_here for call in reply.calls):
                return True
            transitions.require_action(events, run, _calls_to_answer(step.step_details))
            return False

        return await self._log.write(settle)

    async def _run_tools(self, work: _Work, toolbox: Toolbox, reply: Reply) -> None:
        """Run the calls of the reply that run here; then wait for the caller's, if any."""
        told: Json = {}
        states: Json = {}
        for index, call in enumerate(reply.calls):
            if call.is_own_function:
                call.output = await toolbox.run_function(call.name, call.arguments)
            if call.tool is None:
                continue
            invocation = Invocation(
                run=work.run,
                call_id=call.id,
                arguments=call.arguments,
                definition=toolbox.definition(call.tool),
                section=call.section,
                earlier=_calls_before(work.history, reply, index),
            )
            started_ms = time.time_ns() // 1_000_000
            outcome = await call.tool.run(invocation, partial(reply.tell_call, index))
            told[call.id] = {
                "arguments": call.arguments,
                "output": outcome.output,
                "has_result": outcome.has_result,
                "started_ms": started_ms,
                "ended_ms": time.time_ns() // 1_000_000,
            }
            states[call.id] = outcome.state

        def finish(session: Session, events: EventSink) -> None:
            run = transitions.owned(session, work.claimed.id, work.claimed.attempt)
            step = reply.end_tools(session, told, states)
            if calls := _calls_to_answer(step.step_details):
                transitions.require_action(events, run, calls)
            else:
                complete_step(events, step)

        await self._log.write(finish)

    async def _record(
        self, claimed: ClaimedRun, reply: Reply, call: ModelCall, error: ModelError
    ) -> None:
        record = call.as_row(claimed.id, reply.step_id, None, error)

        def add(session: Session) -> None:
            transitions.owned(session, claimed.id, claimed.attempt)
            session.add(record)

        await self._store.write(add)

    async def _keep_partial(
        self,
        claimed: ClaimedRun,
        reply: Reply,
        finished: Finished | None = None,
        record: ModelCallRow | None = None,
    ) -> None:
        def keep(session: Session, _events: EventSink) -> None:
            reply.save_partial(session, finished.usage if finished else None)
            if finished:
                _count(transitions.owned(session, claimed.id, claimed.attempt), finished)
            if record:
                session.add(record)

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


async def _stream_into(reply: Reply, provider: ModelProvider, call: ModelCall) -> Finished:
    async with aclosing(provider.stream(call.request)) as events:
        async for event in events:
            if isinstance(event, Finished):
                return event
            call.saw_token()
            await reply.take(event)
    raise ModelError("server_error", "The model's answer broke off. Try again.")


async def _request(
    provider: ModelProvider,
    model: str,
    run: RunRow,
    history: History,
    tools: list[FunctionTool],
) -> ModelRequest:
    """The next model call, within every limit that the run sets. Raises LimitReachedError."""
    used = usage_from_json(run.usage)
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


def _check_rounds(history: History, most: int) -> None:
    if len(history.tool_steps) + 1 >= most:
        raise ModelError(
            "server_error",
            f"The assistant used its tools {most} times without coming to an answer. Ask for "
            "less at once, or raise MAX_TOOL_ROUNDS.",
        )


def _completion_tokens_left(run: RunRow, used: Usage) -> int | None:
    if run.max_completion_tokens is None:
        return None
    left = run.max_completion_tokens - used.completion
    if left <= 0:
        raise LimitReachedError("max_completion_tokens")
    return left


def _tool_choice(run: RunRow, history: History) -> str | Json:
    # A forced call is forced once; asked for again after its output, it would never end.
    choice: str | Json = run.tool_choice or "auto"
    if history.fresh and choice != "none":
        return "auto"
    if isinstance(choice, dict) and choice["type"] != "function":
        return {"type": "function", "function": {"name": choice["type"]}}
    return choice


def _unless_default(value: float | None) -> float | None:
    # 1.0 is what the API fills in when nobody chose; some models refuse even that value.
    return None if value == _API_DEFAULT else value


def _calls_before(history: History, reply: Reply, index: int) -> int:
    """How many calls of the same tool came before in this run."""
    kind = reply.calls[index].tool
    here = sum(1 for call in reply.calls[:index] if call.tool is kind)
    if kind is None:
        return here
    return len(states_of(history.tool_steps, kind.type)) + here


def _calls_to_answer(step_details: Json) -> list[Json]:
    return [
        {
            "id": call["id"],
            "type": "function",
            "function": {
                "name": call["function"]["name"],
                "arguments": call["function"]["arguments"],
            },
        }
        for call in step_details["tool_calls"]
        if call["type"] == "function" and call["function"]["output"] is None
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
