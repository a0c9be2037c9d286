"""Models behind `/responses`: OpenAI, Azure, and the servers that followed them."""

import json
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

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

_REASONING_MODELS = re.compile(r"(^|/)(o\d|gpt-[5-9]|gpt-oss|codex)", re.IGNORECASE)
"""Names of models that think before they answer, with or without a vendor in front."""


_LEAST_OUTPUT_TOKENS = 16


class ResponsesProvider:
    """Implements ModelProvider over an endpoint's responses, none of which it keeps there."""

    api = "responses"

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        check(request)

        reply = _Reply(request.model)
        events = self._endpoint.events(request, _dispensable(request), partial(_open, request))
        async with aclosing(events):
            try:
                async for incoming in events:
                    for event in reply.read(incoming):
                        yield event
            except ModelError:
                if not (reply.is_finished or reply.failed):
                    raise
            except (AttributeError, KeyError, TypeError):
                raise self._endpoint.errors.malformed() from None
        if reply.failed:
            raise self._endpoint.errors.from_failure(reply.failed, request)
        if not reply.is_finished:
            raise self._endpoint.errors.broken_off()
        usage = reply.usage or await self._estimated_usage(request, reply)
        yield Finished(reply.reason, usage, reply.model, reply.replay)

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
        asked = json.dumps([_input(request), _tools(request)], ensure_ascii=False)
        return Usage(
            prompt=await self.count_tokens(asked),
            completion=await self.count_tokens("".join(reply.written)),
        )


# --- what is asked -----------------------------------------------------------------------------


def _dispensable(request: ModelRequest) -> frozenset[str]:
    """Parameters that can go without changing what was asked for."""
    return defaults_in(request) | {"include", "store"}


def _open(request: ModelRequest, client: AsyncOpenAI, without: frozenset[str]) -> Opening:
    create = client.responses.with_streaming_response.create
    # Through `extra_body`, because the SDK walks every part of every message it is given.
    body = _body(request, without)
    return create(model=request.model, input=[], stream=True, extra_body=body)


def _body(request: ModelRequest, without: frozenset[str]) -> Json:
    body: Json = {
        "model": request.model,
        "input": _input(request),
        "store": False,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_output_tokens": _output_limit(request),
    }
    if request.tools:
        body["tools"] = _tools(request)
        body["tool_choice"] = _tool_choice(request)
        body["parallel_tool_calls"] = request.parallel_tool_calls
    if request.reasoning_effort:
        body["reasoning"] = {"effort": request.reasoning_effort}
    if request.reasoning_effort or _REASONING_MODELS.search(request.model):
        # With nothing stored at the endpoint, its thoughts must travel with the conversation.
        body["include"] = ["reasoning.encrypted_content"]
    if request.response_format not in (None, "auto"):
        body["text"] = {"format": _text_format(request)}
    return {
        name: value for name, value in body.items() if value is not None and name not in without
    }


def _output_limit(request: ModelRequest) -> int | None:
    # A run's last tokens may be fewer than the endpoint lets anybody ask for.
    limit = request.max_output_tokens
    return None if limit is None else max(limit, _LEAST_OUTPUT_TOKENS)


def _input(request: ModelRequest) -> list[Json]:
    items: list[Json] = []
    if request.instructions:
        # Not `instructions`: JSON mode wants the word "JSON" in the input itself.
        items.append({"role": "system", "content": request.instructions})
    for turn in request.turns:
        match turn:
            case UserTurn():
                items.append({"role": "user", "content": [_part(part) for part in turn.parts]})
            case AssistantTurn():
                items.append({"role": "assistant", "content": turn.text})
            case ToolRound():
                items.extend(_tool_items(turn))
    return items


def _part(part: TextPart | ImagePart) -> Json:
    if isinstance(part, TextPart):
        return {"type": "input_text", "text": part.text}
    return {"type": "input_image", "image_url": part.url, "detail": part.detail}


def _tool_items(turn: ToolRound) -> Iterator[Json]:
    yield from turn.replay
    for call in turn.calls:
        yield {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        }
    for call, output in zip(turn.calls, turn.outputs, strict=True):
        yield {"type": "function_call_output", "call_id": call.id, "output": output}


def _tools(request: ModelRequest) -> list[Json]:
    return [_function(tool) for tool in request.tools]


def _function(tool: FunctionTool) -> Json:
    function: Json = {
        "type": "function",
        "name": tool.name,
        "parameters": with_properties(tool.parameters),
        # Left out, it would mean true here.
        "strict": tool.strict,
    }
    if tool.description:
        function["description"] = tool.description
    return function


def _tool_choice(request: ModelRequest) -> str | Json:
    if isinstance(request.tool_choice, str):
        return request.tool_choice
    return {"type": "function", "name": request.tool_choice["function"]["name"]}


def _text_format(request: ModelRequest) -> Json:
    if isinstance(request.response_format, str) or request.response_format is None:
        return {"type": "text"}
    wrapped = request.response_format.get("json_schema")
    if wrapped is None:
        return request.response_format
    return {"type": "json_schema", **wrapped}


# --- what comes back ---------------------------------------------------------------------------


@dataclass(slots=True)
class _Item:
    """How much of one output item has been passed on."""

    call_index: int = -1
    passed: int = 0
    """Characters."""


class _Reply:
    """Reads the events of one answer, and remembers what the last event must say."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.reason: FinishReason = "stop"
        self.usage: Usage | None = None
        self.is_finished = False
        self.failed: Json = {}
        self.replay: list[Json] = []
        self.written: list[str] = []
        self._items: dict[int, _Item] = {}
        self._calls = 0

    def read(self, event: Json) -> Iterator[ModelEvent]:
        index = event.get("output_index") or 0
        match event.get("type"):
            case "response.output_text.delta":
                yield from self._text(index, event["delta"])
            case "response.refusal.delta":
                yield from self._refusal(index, event["delta"])
            case "response.output_item.added":
                yield from self._begin(index, event["item"])
            case "response.function_call_arguments.delta":
                yield from self._arguments(index, event["delta"])
            case "response.function_call_arguments.done":
                yield from self._rest_of_arguments(index, event["arguments"])
            case "response.output_item.done":
                yield from self._end(index, event["item"])
            case "response.completed" | "response.incomplete":
                self._finish(event["response"])
            case "response.failed" | "response.cancelled":
                self.failed = event["response"].get("error") or {"message": "no reason given"}
            case "error":
                self.failed = event.get("error") or event

    def _begin(self, index: int, item: Json) -> Iterator[ModelEvent]:
        if item["type"] != "function_call":
            return
        call = self._items[index] = _Item(call_index=self._calls)
        self._calls += 1
        yield ToolCallStarted(call.call_index, item["call_id"], item["name"])
        if item.get("arguments"):
            yield from self._arguments(index, item["arguments"])

    def _end(self, index: int, item: Json) -> Iterator[ModelEvent]:
        """The whole item: some servers send nothing of it before."""
        match item["type"]:
            case "reasoning":
                self._keep(item)
            case "message":
                yield from self._rest_of_message(index, item)
            case "function_call":
                if index not in self._items:
                    yield from self._begin(index, item | {"arguments": ""})
                yield from self._rest_of_arguments(index, item.get("arguments") or "")
                if not self._items[index].passed:
                    yield from self._arguments(index, "{}")

    def _text(self, index: int, text: str) -> Iterator[ModelEvent]:
        self._pass(index, text)
        if text:
            yield TextDelta(text)

    def _refusal(self, index: int, text: str) -> Iterator[ModelEvent]:
        self._pass(index, text)
        if text:
            yield RefusalDelta(text)

    def _arguments(self, index: int, text: str) -> Iterator[ModelEvent]:
        self._pass(index, text)
        if text:
            yield ToolCallArgumentsDelta(self._items[index].call_index, text)

    def _rest_of_arguments(self, index: int, whole: str) -> Iterator[ModelEvent]:
        yield from self._arguments(index, whole[self._items[index].passed :])

    def _rest_of_message(self, index: int, item: Json) -> Iterator[ModelEvent]:
        if index in self._items:
            return
        for part in item.get("content") or ():
            yield from self._text(index, part.get("text") or "")
            yield from self._refusal(index, part.get("refusal") or "")

    def _pass(self, index: int, text: str) -> None:
        item = self._items.setdefault(index, _Item())
        self.written.append(text)
        item.passed += len(text)

    def _keep(self, item: Json) -> None:
        # An item without content would be looked up at the endpoint, which stored nothing.
        if item.get("encrypted_content") or item.get("content"):
            self.replay.append({name: value for name, value in item.items() if value is not None})

    def _finish(self, response: Json) -> None:
        self.is_finished = True
        self.model = response.get("model") or self.model
        if response.get("usage"):
            self.usage = _usage(response["usage"])
        self.reason = "tool_calls" if self._calls else "stop"
        if response.get("status") == "incomplete":
            why = (response.get("incomplete_details") or {}).get("reason")
            self.reason = "content_filter" if why == "content_filter" else "length"


def _usage(usage: Json) -> Usage:
    given = usage.get("input_tokens_details") or {}
    written = usage.get("output_tokens_details") or {}
    return Usage(
        prompt=usage.get("input_tokens") or 0,
        completion=usage.get("output_tokens") or 0,
        cached=given.get("cached_tokens") or 0,
        reasoning=written.get("reasoning_tokens") or 0,
    )
