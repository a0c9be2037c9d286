"""What a model endpoint writes on the wire: chat completion chunks and Responses events.

Frames are built once for each kind of answer and kept, because a thousand streams at once have
to come out of a part of one core. What differs from request to request (ids, prompt tokens) is a
placeholder, replaced as a frame is sent.
"""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

Json = dict[str, Any]

ID = "@@id@@"
PROMPT_TOKENS = 7_100_100_001
TOTAL_TOKENS = 7_100_100_002


@dataclass(frozen=True)
class Answer:
    """What the endpoint does with one request. Every field travels as JSON to `POST /control`."""

    text: str = ""
    tokens: int = 0
    """When set, the text is that many words instead: `word0 word1 …`."""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Function calls: name and arguments as text."""
    refusal: str | None = None
    reasoning: str | None = None

    initial_delay: float = 0.0
    token_delay: float = 0.0
    """Seconds before the first token, and from token to token (paced against the clock)."""

    finish: str | None = None
    """`length` or `content_filter`; else what follows from the answer."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    model: str | None = None
    """The name of the model that answers, when it is not the one asked for."""

    status: int = 200
    error: Json | str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    fault: str | None = None
    """hang, stall, end (too early), break, reset, slow_loris, garbage, html, error_event,
    failed_event."""
    fault_after: int = 0
    """Tokens sent before the fault."""

    odd: list[str] = field(default_factory=list)
    """Oddities of endpoints in the wild; `ODDITIES` lists them."""


ODDITIES = {
    "comments": "comment lines between the events",
    "crlf": "lines end in CRLF",
    "data_without_space": "`data:{…}` with no space",
    "no_done": "the stream ends without [DONE]",
    "no_usage": "usage is never told",
    "usage_in_every_chunk": "each chunk carries the usage so far",
    "empty_choices": "chunks with `choices: []` in between",
    "null_content": "tool call chunks say `content: null`, text chunks say `tool_calls: null`",
    "finish_stop": "finish_reason is `stop` although there are tool calls",
    "no_ids": "calls have no id",
    "ids_in_every_chunk": "the id is repeated in each chunk",
    "changing_ids": "each chunk of one call has another id",
    "name_in_every_chunk": "the name is repeated in each chunk",
    "name_in_pieces": "the name comes in two pieces",
    "no_index": "calls have no index",
    "index_always_zero": "every call has index 0, each its own id",
    "whole_calls": "each call comes whole in one chunk or event",
    "no_argument_deltas": "arguments come only with the last event of a call",
    "legacy_function_call": "`function_call` instead of `tool_calls`",
    "content_in_parts": "content is a list of parts",
}


@dataclass(frozen=True)
class Frame:
    data: bytes
    is_token: bool = False

    def filled(self, unique: str, prompt_tokens: int, completion_tokens: int) -> bytes:
        data = self.data.replace(ID.encode(), unique.encode())
        if self.is_token:
            return data
        total = str(prompt_tokens + completion_tokens).encode()
        return data.replace(b"%d" % TOTAL_TOKENS, total).replace(
            b"%d" % PROMPT_TOKENS, b"%d" % prompt_tokens
        )


def tokens_of(answer: Answer) -> list[str]:
    if answer.tokens:
        return ["word0", *(f" word{number}" for number in range(1, answer.tokens))]
    return re.findall(r"\s*\S+|\s+$", answer.text)


def halves(text: str) -> list[str]:
    """Arguments in several deltas, as a model writes them."""
    size = max(1, -(-len(text) // 4))
    return [text[at : at + size] for at in range(0, len(text), size)]


def completion_tokens(answer: Answer) -> int:
    if answer.completion_tokens is not None:
        return answer.completion_tokens
    spoken = len(tokens_of(answer)) + len((answer.refusal or "").split())
    called = sum(1 + len(halves(arguments)) for _, arguments in answer.calls)
    return spoken + called + answer.reasoning_tokens


def chat_frames(answer: Answer, model: str, include_usage: bool) -> list[Frame]:
    return _cached_chat_frames(_key(answer), model, include_usage)


def responses_frames(answer: Answer, model: str, echo: Json) -> list[Frame]:
    return _cached_responses_frames(_key(answer), model, json.dumps(echo))


def chat_body(answer: Answer, model: str) -> Json:
    message: Json = {"role": "assistant", "content": "".join(tokens_of(answer)) or None}
    message["refusal"] = answer.refusal
    message["annotations"] = []
    if answer.calls:
        message["tool_calls"] = [
            _chat_call(number, name, arguments, with_index=False)
            for number, (name, arguments) in enumerate(answer.calls)
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(answer)}
    return {
        "id": f"chatcmpl-{ID}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": answer.model or model,
        "choices": [choice],
        "usage": _chat_usage(answer),
        "service_tier": "default",
        "system_fingerprint": "fp_double",
    }


def responses_body(answer: Answer, model: str, echo: Json) -> Json:
    output = [item for item, _ in _output_items(answer, echo)]
    return _response(answer, model, echo, _final_status(answer), output)


def _key(answer: Answer) -> str:
    return json.dumps(asdict(answer), sort_keys=True)


# --- chat completions ------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _cached_chat_frames(key: str, model: str, include_usage: bool) -> list[Frame]:
    answer = Answer(**json.loads(key))
    frames = []
    for chunk, is_token in _chat_chunks(answer, model, include_usage):
        frames.append(Frame(_sse(chunk, answer.odd), is_token))
    if "no_done" not in answer.odd:
        frames.append(Frame(_sse_line("[DONE]", answer.odd)))
    return frames


def _chat_chunks(answer: Answer, model: str, include_usage: bool) -> Iterator[tuple[Json, bool]]:
    odd = answer.odd
    base: Json = {
        "id": f"chatcmpl-{ID}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": answer.model or model,
        "service_tier": "default",
        "system_fingerprint": "fp_double",
    }
    says_usage = include_usage and "no_usage" not in odd
    if says_usage:
        base["usage"] = _chat_usage(answer) if "usage_in_every_chunk" in odd else None

    def chunk(delta: Json, finish: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return base | {"choices": [choice]}

    role: Json = {"role": "assistant", "content": None if answer.calls else "", "refusal": None}
    yield chunk(role), False
    if answer.reasoning:
        yield chunk({"reasoning_content": answer.reasoning, "content": None}), False
        yield chunk({"reasoning": answer.reasoning}), False
    for token in tokens_of(answer):
        if "empty_choices" in odd:
            yield base | {"choices": []}, False
        yield chunk(_text_delta(token, odd)), True
    if answer.refusal:
        for piece in halves(answer.refusal):
            yield chunk({"refusal": piece}), True
    for delta in _chat_call_deltas(answer):
        yield chunk(delta), True
    yield chunk({}, _finish(answer)), False
    if says_usage and "usage_in_every_chunk" not in odd:
        yield base | {"choices": [], "usage": _chat_usage(answer)}, False


def _text_delta(token: str, odd: list[str]) -> Json:
    if "content_in_parts" in odd:
        return {"content": [{"type": "text", "text": token}]}
    if "null_content" in odd:
        return {"content": token, "tool_calls": None, "function_call": None}
    return {"content": token}


def _chat_call_deltas(answer: Answer) -> Iterator[Json]:
    odd = answer.odd
    for number, (name, arguments) in enumerate(answer.calls):
        if "legacy_function_call" in odd:
            yield {"function_call": {"name": name, "arguments": ""}}
            for piece in halves(arguments):
                yield {"function_call": {"arguments": piece}}
            continue
        for call in _call_pieces(number, name, arguments, odd):
            delta: Json = {"tool_calls": [_odd_call(call, number, odd)]}
            if "null_content" in odd:
                delta["content"] = None
            yield delta


def _call_pieces(number: int, name: str, arguments: str, odd: list[str]) -> Iterator[Json]:
    if "whole_calls" in odd:
        yield _chat_call(number, name, arguments)
        return
    if "name_in_pieces" in odd:
        yield _chat_call(number, name[:3], "")
        yield {"index": number, "function": {"name": name[3:], "arguments": ""}}
    else:
        yield _chat_call(number, name, "")
    for at, piece in enumerate(halves(arguments)):
        call: Json = {"index": number, "function": {"arguments": piece}}
        if "name_in_every_chunk" in odd:
            call["function"]["name"] = name
        if "ids_in_every_chunk" in odd or "index_always_zero" in odd:
            call["id"] = f"call_{ID}{number}"
        if "changing_ids" in odd:
            call["id"] = f"call_{ID}{number}_{at}"
        yield call


def _odd_call(call: Json, number: int, odd: list[str]) -> Json:
    if "no_ids" in odd:
        call.pop("id", None)
    if "no_index" in odd:
        call.pop("index", None)
    elif "index_always_zero" in odd:
        call["index"] = 0
    else:
        call["index"] = number
    return call


def _chat_call(number: int, name: str, arguments: str, with_index: bool = True) -> Json:
    call: Json = {"index": number} if with_index else {}
    function = {"name": name, "arguments": arguments}
    return call | {"id": f"call_{ID}{number}", "type": "function", "function": function}


def _finish(answer: Answer) -> str:
    if answer.finish:
        return answer.finish
    if not answer.calls or "finish_stop" in answer.odd:
        return "stop"
    return "function_call" if "legacy_function_call" in answer.odd else "tool_calls"


def _chat_usage(answer: Answer) -> Json:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": completion_tokens(answer),
        "total_tokens": TOTAL_TOKENS,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": answer.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


# --- responses -------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _cached_responses_frames(key: str, model: str, echo: str) -> list[Frame]:
    answer = Answer(**json.loads(key))
    frames = []
    for number, event in enumerate(_responses_events(answer, model, json.loads(echo))):
        event["sequence_number"] = number
        name = f"event: {event['type']}\n"
        is_token = event["type"].endswith(".delta")
        frames.append(Frame(_sse(event, answer.odd, name), is_token))
    return frames


def _responses_events(answer: Answer, model: str, echo: Json) -> Iterator[Json]:
    started = _response(answer, model, echo, "in_progress", [])
    yield {"type": "response.created", "response": started}
    yield {"type": "response.in_progress", "response": started}
    output = []
    for index, (item, events) in enumerate(_output_items(answer, echo)):
        for event in events:
            yield event | {"output_index": index}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
        output.append(item)
    status = _final_status(answer)
    final = _response(answer, model, echo, status, output)
    yield {"type": f"response.{status}", "response": final}


def _output_items(answer: Answer, echo: Json) -> Iterator[tuple[Json, list[Json]]]:
    if answer.reasoning:
        yield _reasoning_item(answer.reasoning, echo)
    if answer.refusal or tokens_of(answer) or not answer.calls:
        yield _message_item(answer)
    for number, (name, arguments) in enumerate(answer.calls):
        yield _call_item(number, name, arguments, answer.odd)


def _reasoning_item(text: str, echo: Json) -> tuple[Json, list[Json]]:
    item_id = f"rs_{ID}"
    empty: Json = {"id": item_id, "type": "reasoning", "summary": []}
    part = {"type": "summary_text", "text": text}
    full = empty | {"summary": [part]}
    if "reasoning.encrypted_content" in (echo.get("include") or []):
        full["encrypted_content"] = f"gAAAA{ID}"
    at = {"item_id": item_id, "summary_index": 0}
    prefix = "response.reasoning_summary"
    return full, [
        {"type": "response.output_item.added", "item": empty},
        {"type": f"{prefix}_part.added", "part": part | {"text": ""}, **at},
        {"type": f"{prefix}_text.delta", "delta": text, **at},
        {"type": f"{prefix}_text.done", "text": text, **at},
        {"type": f"{prefix}_part.done", "part": part, **at},
    ]


def _message_item(answer: Answer) -> tuple[Json, list[Json]]:
    kind, key = ("refusal", "refusal") if answer.refusal else ("output_text", "text")
    pieces = halves(answer.refusal) if answer.refusal else tokens_of(answer)
    logprobs: Json = {} if answer.refusal else {"logprobs": []}
    whole: Json = {"type": kind, key: "".join(pieces)}
    if not answer.refusal:
        whole |= {"annotations": [], "logprobs": []}
    item_id = f"msg_{ID}"
    empty: Json = {
        "id": item_id,
        "type": "message",
        "status": "in_progress",
        "content": [],
        "role": "assistant",
    }
    at = {"item_id": item_id, "content_index": 0}
    events: list[Json] = [
        {"type": "response.output_item.added", "item": empty},
        {"type": "response.content_part.added", "part": whole | {key: ""}, **at},
    ]
    for piece in pieces:
        events.append({"type": f"response.{kind}.delta", "delta": piece, **at, **logprobs})
    events.append({"type": f"response.{kind}.done", key: whole[key], **at, **logprobs})
    events.append({"type": "response.content_part.done", "part": whole, **at})
    status = "incomplete" if answer.finish else "completed"
    return empty | {"status": status, "content": [whole]}, events


def _call_item(number: int, name: str, arguments: str, odd: list[str]) -> tuple[Json, list[Json]]:
    item_id = f"fc_{ID}{number}"
    full = {
        "id": item_id,
        "type": "function_call",
        "status": "completed",
        "arguments": arguments,
        "call_id": f"call_{ID}{number}",
        "name": name,
    }
    if "whole_calls" in odd:
        return full, []
    prefix = "response.function_call_arguments"
    added = full | {"status": "in_progress", "arguments": ""}
    events: list[Json] = [{"type": "response.output_item.added", "item": added}]
    if "no_argument_deltas" not in odd:
        for piece in halves(arguments):
            events.append({"type": f"{prefix}.delta", "item_id": item_id, "delta": piece})
    events.append({"type": f"{prefix}.done", "item_id": item_id, "arguments": arguments})
    return full, events


def _response(answer: Answer, model: str, echo: Json, status: str, output: list[Json]) -> Json:
    is_over = status != "in_progress"
    reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
    incomplete = {"reason": reasons[answer.finish or ""]} if status == "incomplete" else None
    return {
        "id": f"resp_{ID}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": incomplete,
        "instructions": None,
        "max_output_tokens": echo.get("max_output_tokens"),
        "metadata": {},
        "model": answer.model or model,
        "output": output,
        "parallel_tool_calls": echo.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": {"effort": (echo.get("reasoning") or {}).get("effort"), "summary": None},
        "service_tier": "default",
        "store": echo.get("store", True),
        "temperature": echo.get("temperature", 1.0),
        "text": echo.get("text") or {"format": {"type": "text"}},
        "tool_choice": echo.get("tool_choice", "auto"),
        "tools": echo.get("tools") or [],
        "top_p": echo.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": _responses_usage(answer) if is_over and "no_usage" not in answer.odd else None,
        "user": None,
    }


def _final_status(answer: Answer) -> str:
    return "incomplete" if answer.finish in ("length", "content_filter") else "completed"


def _responses_usage(answer: Answer) -> Json:
    return {
        "input_tokens": PROMPT_TOKENS,
        "input_tokens_details": {"cached_tokens": answer.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": completion_tokens(answer),
        "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
        "total_tokens": TOTAL_TOKENS,
    }


# --- server-sent events ----------------------------------------------------------------------


def _sse(data: Json, odd: list[str], before: str = "") -> bytes:
    return _sse_line(json.dumps(data, ensure_ascii=False, separators=(",", ":")), odd, before)


def _sse_line(data: str, odd: list[str], before: str = "") -> bytes:
    prefix = "data:" if "data_without_space" in odd else "data: "
    text = f"{before}{prefix}{data}\n\n"
    if "comments" in odd:
        text = f": keep-alive\n\n{text}"
    if "crlf" in odd:
        text = text.replace("\n", "\r\n")
    return text.encode()
