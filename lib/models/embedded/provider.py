"""The embedded model as a model provider."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from lib.models.embedded.coding import CODE_TOOL, END, OPENING, as_arguments, code_messages
from lib.models.embedded.completions import Completions, Done, ServerGoneError
from lib.models.embedded.decision import Outcome, decision_body, outcome_of, outcomes
from lib.models.embedded.rendering import call_opening, render_answer, render_chat
from lib.models.embedded.schemas import answer_schema, arguments_schema
from lib.models.embedded.state import ConsoleProgress, EmbeddedState, Report
from lib.models.embedded.supervisor import Supervisor
from lib.models.provider import (
    Finished,
    FinishReason,
    Json,
    ModelError,
    ModelEvent,
    ModelInfo,
    ModelRequest,
    TextDelta,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    ToolRound,
)

LONGEST_REPLY = 4096
"""Tokens after which a reply is cut off: a small model can repeat itself for ever."""
_CREATED = 1_731_369_600
"""When the default weights were published, in Unix seconds."""
CODE_TEMPERATURE = 0.0
"""Code is written the likeliest way first; after a failure chance may find another."""
ARGUMENTS_TEMPERATURE = 0.3
"""The most that arguments are generated with: code and queries suffer first from chance."""


class EmbeddedProvider:
    """Answers from a model on this machine. `start` it once; it then prepares itself.

    `choice` is the value of EMBEDDED_MODEL. `on_change` sees every state, also those in `state`.
    """

    def __init__(self, choice: str, data_dir: Path, on_change: Report | None = None) -> None:
        self._reports: list[Report] = [ConsoleProgress(), *([on_change] if on_change else [])]
        self._supervisor = Supervisor(choice, data_dir, self._announce)
        self._completions: Completions | None = None

    @property
    def name(self) -> str:
        """The name under which the model is listed."""
        return self._supervisor.model_name

    @property
    def state(self) -> EmbeddedState:
        return self._supervisor.state

    def start(self) -> None:
        """Fetch and load the model in the background; returns at once. Needs a running loop."""
        self._supervisor.start()

    def retry(self) -> None:
        """After a failure, try again now instead of after the pause."""
        self._supervisor.retry()

    async def close(self) -> None:
        """Stop the model; ends within about a second."""
        if self._completions is not None:
            await self._completions.close()
        await self._supervisor.close()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Answer, waiting first until the model is ready. Raises ModelError.

        One reply is either text or one call: the model picks which, and the arguments always fit
        the tool's schema unless `max_output_tokens` cuts them off. Usage counts the reply, not
        the short prompt that picked its kind.
        """
        plan = _Plan(request)
        begun = False
        async with aclosing(self._attempt(plan)) as events:
            try:
                async for event in events:
                    begun = True
                    yield event
            except ServerGoneError:
                if begun or not await self._supervisor.restarting():
                    raise
            else:
                return
        async with aclosing(self._attempt(plan)) as events:
            async for event in events:
                yield event

    async def list_models(self) -> list[ModelInfo]:
        return [ModelInfo(self._supervisor.model_name, _CREATED, "embedded")]

    async def context_window(self, model: str) -> int | None:  # noqa: ARG002
        return await (await self._ready()).context_window()

    async def count_tokens(self, text: str) -> int:
        return await (await self._ready()).tokenize(text)

    def _announce(self, state: EmbeddedState) -> None:
        for report in self._reports:
            report(state)

    async def _ready(self) -> Completions:
        server = await self._supervisor.server()
        if self._completions is None or self._completions.server is not server:
            outdated, self._completions = self._completions, Completions(server)
            if outdated is not None:
                await outdated.close()
        return self._completions

    async def _attempt(self, plan: "_Plan") -> AsyncGenerator[ModelEvent]:
        completions = await self._ready()
        outcome = plan.outcomes[0]
        if len(plan.outcomes) > 1:
            body = decision_body(plan.request, plan.outcomes)
            outcome = outcome_of(await _whole_text(completions, body), plan.outcomes)
        if outcome is not None:
            call = ToolCallStarted(0, f"call_{secrets.token_urlsafe(18)}", outcome)
            yield call
        async with aclosing(plan.generate(completions, outcome)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Done):
                    reason = _reason(piece, outcome)
                    yield Finished(reason, piece.usage, self._supervisor.model_name)
                elif outcome is None:
                    yield TextDelta(piece)
                else:
                    yield ToolCallArgumentsDelta(0, piece)


class _Plan:
    """A request made ready to be generated. Raises ModelError for what this model cannot do."""

    def __init__(self, request: ModelRequest) -> None:
        _refuse_reasoning(request.reasoning_effort)
        self.request = request
        self.outcomes = outcomes(request)
        self._messages = render_chat(request.instructions, request.turns, request.tools)

    def generate(self, completions: Completions, outcome: Outcome) -> AsyncGenerator[str | Done]:
        if outcome is None:
            return self._answer(completions)
        tool = next(tool for tool in self.request.tools if tool.name == outcome)
        sampling = self._sampling()
        most = ARGUMENTS_TEMPERATURE
        if tool.name == CODE_TOOL and not isinstance(self.request.turns[-1], ToolRound):
            most = CODE_TEMPERATURE
        sampling["temperature"] = min(sampling.get("temperature", 1.0), most)
        if tool.name == CODE_TOOL:
            messages = code_messages(self.request, tool)
            return as_arguments(completions.continued(messages, OPENING, END, sampling))
        opening, schema = call_opening(outcome), arguments_schema(tool.parameters)
        return completions.guided(self._messages, opening, schema, sampling)

    def _answer(self, completions: Completions) -> AsyncGenerator[str | Done]:
        request, sampling = self.request, self._sampling()
        messages = render_answer(request.instructions, request.turns, request.tools)
        if isinstance(request.turns[-1], ToolRound):
            # What was found is to be told as it is.
            sampling.setdefault("temperature", ARGUMENTS_TEMPERATURE)
        schema = answer_schema(request.response_format)
        if schema is None:
            return completions.chat({"messages": messages, **sampling})
        return completions.guided(messages, "", schema, sampling)

    def _sampling(self) -> Json:
        sampling: Json = {
            "temperature": self.request.temperature,
            "top_p": self.request.top_p,
            "max_tokens": min(self.request.max_output_tokens or LONGEST_REPLY, LONGEST_REPLY),
        }
        return {name: value for name, value in sampling.items() if value is not None}


async def _whole_text(completions: Completions, body: Json) -> str:
    async with aclosing(completions.chat(body)) as pieces:
        return "".join([piece async for piece in pieces if isinstance(piece, str)])


def _reason(done: Done, outcome: Outcome) -> FinishReason:
    if done.truncated:
        return "length"
    return "stop" if outcome is None else "tool_calls"


def _refuse_reasoning(effort: str | None) -> None:
    if effort not in (None, "none"):
        raise ModelError(
            "invalid_prompt",
            "The embedded model does not reason: reasoning_effort must be null. Unset it, or set "
            "MODEL_BASE_URL to an endpoint with a reasoning model.",
        )
