"""Models behind `/chat/completions`, which nearly every server speaks."""

import json
import secrets
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from openai import AsyncOpenAI

from lib.models.endpoint import Endpoint, Opening
from lib.models.provider import (
    AssistantTurn,
    Finished,
    FinishReason,
    FunctionTool,
    ImagePart,
    Json,
    ModelError,
    ModelEvent,
    ModelInfo,
    ModelRequest,
    RefusalDelta,
    TextDelta,
    TextPart,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    ToolRound,
    Usage,
    UserTurn,
)
from lib.models.requests import check, defaults_in, model_infos, with_properties
from lib.models.tokens import estimate_tokens

_FINISH_REASONS: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}
"""All others (`stop`, `tool_calls`, `function_call`, `eos` …) mean that the model was done."""


class ChatCompletionsProvider:
    """Implements ModelProvider over an endpoint's chat completions."""

    api = "chat_completions"

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        check(request)

        reply = _Reply(request.model)
        events = self._endpoint.events(request, _dispensable(request), partial(_open, request))
        async with aclosing(events):
            try:
                async for chunk in events:
                    for event in reply.read(chunk):
                        yield event
            except ModelError:
                if not reply.is_finished:
                    raise
            except (AttributeError, KeyError, TypeError):
                raise self._endpoint.errors.malformed() from None
        if not reply.is_finished:
            raise self._endpoint.errors.broken_off()
        if reply.failed:
            raise self._endpoint.errors.from_failure({"message": reply.failed}, request)
        for event in reply.calls.end():
            yield event
        usage = reply.usage or await self._estimated_usage(request, reply)
        yield Finished(reply.reason, usage, reply.model)

    async def list_models(self) -> list[ModelInfo]:
        return model_infos(await self._endpoint.models())

    async def context_window(self, model: str) -> int | None:
        return await self._endpoint.context_window(model)

    async def count_tokens(self, text: str) -> int:
        return await estimate_tokens(text)

    async def close(self) -> None:
        await self._endpoint.close()

    async def _estimated_usage(self, request: ModelRequest, reply: "_Reply") -> Usage:
        """Where the endpoint does not count, limits and costs still need a number."""
        asked = json.dumps([_messages(request), _tools(request)], ensure_ascii=False)
        return Usage(
            prompt=await self.count_tokens(asked),
            completion=await self.count_tokens("".join(reply.written)),
        )


# --- what is asked -----------------------------------------------------------------------------


def _dispensable(request: ModelRequest) -> frozenset[str]:
    """Parameters that can go without changing what was asked for."""
    return defaults_in(request) | {"max_completion_tokens", "stream_options"}


def _open(request: ModelRequest, client: AsyncOpenAI, without: frozenset[str]) -> Opening:
    create = client.chat.completions.with_streaming_response.create
    # Through `extra_body`, because the SDK walks every part of every message it is given.
    body = _body(request, without)
    return create(model=request.model, messages=[], stream=True, extra_body=body)


def _body(request: ModelRequest, without: frozenset[str]) -> Json:
    body: Json = {
        "model": request.model,
        "messages": _messages(request),
        "stream_options": {"include_usage": True},
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_completion_tokens": request.max_output_tokens,
        "reasoning_effort": request.reasoning_effort,
    }
    if "max_completion_tokens" in without:
        # The older name of the same limit.
        body["max_tokens"] = request.max_output_tokens
    if request.tools:
        body["tools"] = _tools(request)
        body["tool_choice"] = request.tool_choice
        body["parallel_tool_calls"] = request.parallel_tool_calls
    if request.response_format not in (None, "auto"):
        body["response_format"] = request.response_format
    return {
        name: value for name, value in body.items() if value is not None and name not in without
    }


def _messages(request: ModelRequest) -> list[Json]:
    messages: list[Json] = []
    if request.instructions:
        messages.append({"role": "system", "content": request.instructions})
    for turn in request.turns:
        match turn:
            case UserTurn():
                messages.append({"role": "user", "content": _content(turn)})
            case AssistantTurn():
                messages.append({"role": "assistant", "content": turn.text})
            case ToolRound():
                messages.extend(_tool_messages(turn, _words_before(messages)))
    return messages


def _content(turn: UserTurn) -> str | list[Json]:
    texts = [part.text for part in turn.parts if isinstance(part, TextPart)]
    if len(texts) == len(turn.parts):
        # Many servers and chat templates take nothing but a string.
        return "\n".join(texts)
    return [_part(part) for part in turn.parts]


def _part(part: TextPart | ImagePart) -> Json:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    image = {"url": part.url} if part.detail == "auto" else {"url": part.url, "detail": part.detail}
    return {"type": "image_url", "image_url": image}


def _words_before(messages: list[Json]) -> str | None:
    """Takes back what the model said just before its calls: both are one message here."""
    if not messages or messages[-1]["role"] != "assistant" or "tool_calls" in messages[-1]:
        return None
    return str(messages.pop()["content"])


def _tool_messages(turn: ToolRound, words: str | None) -> Iterator[Json]:
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in turn.calls
    ]
    yield {"role": "assistant", "content": words, "tool_calls": calls}
    for call, output in zip(turn.calls, turn.outputs, strict=True):
        yield {"role": "tool", "tool_call_id": call.id, "content": output}


def _tools(request: ModelRequest) -> list[Json]:
    return [{"type": "function", "function": _function(tool)} for tool in request.tools]


def _function(tool: FunctionTool) -> Json:
    function: Json = {"name": tool.name, "parameters": with_properties(tool.parameters)}
    if tool.description:
        function["description"] = tool.description
    if tool.strict:
        function["strict"] = True
    return function


# --- what comes back ---------------------------------------------------------------------------


class _Reply:
    """Reads the chunks of one answer, and remembers what the last event must say."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.reason: FinishReason = "stop"
        self.usage: Usage | None = None
        self.is_finished = False
        self.failed = ""
        self.calls = _Calls()
        self.written: list[str] = []

    def read(self, chunk: Json) -> Iterator[ModelEvent]:
        if chunk.get("model"):
            self.model = chunk["model"]
        if isinstance(chunk.get("usage"), dict):
            self.usage = _usage(chunk["usage"])
        for choice in chunk.get("choices") or ():
            yield from self._read_delta(choice.get("delta") or {})
            if finish := choice.get("finish_reason"):
                self._finish(finish, choice)

    def _read_delta(self, delta: Json) -> Iterator[ModelEvent]:
        if content := delta.get("content"):
            text = content if isinstance(content, str) else _text_of(content)
            if text:
                self.written.append(text)
                yield TextDelta(text)
        if refusal := delta.get("refusal"):
            self.written.append(refusal)
            yield RefusalDelta(refusal)
        pieces = delta.get("tool_calls") or ()
        if function := delta.get("function_call"):
            pieces = ({"function": function},)
        for piece in pieces:
            for event in self.calls.read(piece):
                if isinstance(event, ToolCallArgumentsDelta):
                    self.written.append(event.text)
                yield event

    def _finish(self, finish: str, choice: Json) -> None:
        self.is_finished = True
        self.reason = _FINISH_REASONS.get(finish, "tool_calls" if self.calls else "stop")
        if finish == "error":
            self.failed = str((choice.get("error") or {}).get("message") or "no reason given")


@dataclass(slots=True)
class _Call:
    index: int
    id: str
    name: str = ""
    is_started: bool = False
    arguments: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        try:
            json.loads("".join(self.arguments))
        except ValueError:
            return False
        return True


class _Calls:
    """Puts tool calls together from the pieces in which servers send them.

    The standard is an id and a name first, then arguments, all under one index. Servers in the
    wild leave out ids or indexes, give every call index 0, send a new id with every piece, and
    cut or repeat names; what tells calls apart is therefore looked at as a whole.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def read(self, piece: Json) -> Iterator[ModelEvent]:
        function = piece.get("function") or {}
        name = function.get("name") or ""
        call = self._call_of(piece.get("id") or "", piece.get("index"), name)
        if not call.is_started and name != call.name:
            call.name += name
        if arguments := _arguments(function.get("arguments")):
            # Only now is the name known to be whole.
            yield from self._start(call)
            call.arguments.append(arguments)
            yield ToolCallArgumentsDelta(call.index, arguments)

    def end(self) -> Iterator[ModelEvent]:
        """Calls without arguments are still calls."""
        for call in self._calls:
            yield from self._start(call)
            if not call.arguments:
                yield ToolCallArgumentsDelta(call.index, "{}")

    def _start(self, call: _Call) -> Iterator[ModelEvent]:
        if not call.is_started:
            call.is_started = True
            yield ToolCallStarted(call.index, call.id, call.name)

    def _call_of(self, call_id: str, index: object, name: str) -> _Call:
        call = self._by_id.get(call_id) or self._last_at(index)
        if call is None or self._begins_another(call, call_id, name):
            call = _Call(len(self._calls), call_id or f"call_{secrets.token_hex(12)}")
            self._calls.append(call)
        if call_id:
            self._by_id[call_id] = call
        if isinstance(index, int):
            self._by_index[index] = call
        return call

    def _last_at(self, index: object) -> _Call | None:
        if isinstance(index, int):
            return self._by_index.get(index)
        return self._calls[-1] if self._calls else None

    def _begins_another(self, call: _Call, call_id: str, name: str) -> bool:
        """Whether a piece that has the place of this call is the beginning of the next one."""
        if not name or call_id in self._by_id:
            return False
        return bool(call_id) or call.is_whole


def _arguments(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value) if value else ""


def _text_of(parts: list[Any]) -> str:
    """Text given as a list of parts; parts that hold the model's thoughts are left out."""
    return "".join(str(part.get("text") or "") for part in parts if part.get("type") == "text")


def _usage(usage: Json) -> Usage:
    prompt = usage.get("prompt_tokens_details") or {}
    completion = usage.get("completion_tokens_details") or {}
    return Usage(
        prompt=usage.get("prompt_tokens") or 0,
        completion=usage.get("completion_tokens") or 0,
        cached=prompt.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or 0,
        reasoning=completion.get("reasoning_tokens") or 0,
    )
