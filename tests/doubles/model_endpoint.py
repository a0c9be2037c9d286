"""A model endpoint for tests: a real HTTP server that speaks what OpenAI's endpoints speak.

In a test: `with ModelEndpoint() as endpoint: endpoint.will_answer("Hello")`.
In a process of its own: `python -m tests.doubles.model_endpoint --port 0` prints its port on the
first line and is driven through `POST /control` and `GET /control`.
"""

import argparse
import asyncio
import json
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import uvicorn

from tests.doubles.model_wire import (
    PROMPT_TOKENS,
    TOTAL_TOKENS,
    Answer,
    Frame,
    Json,
    chat_body,
    chat_frames,
    completion_tokens,
    responses_body,
    responses_frames,
    tokens_of,
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
DEFAULT_MODELS = ("text-embedding-3-small", "gpt-4o-mini", "gpt-4o", "o4-mini")


@dataclass
class RecordedRequest:
    """One request as it came. `disconnected`: the client left before the answer was over."""

    path: str
    headers: dict[str, str]
    body: Json
    disconnected: bool = False
    finished: bool = False


@dataclass
class Rule:
    """Answers each request whose last message or item contains the text."""

    contains: str
    answer: Answer


@dataclass
class Script:
    """What the endpoint is, and what it will do. Queue first, then rules, then the default."""

    queue: deque[Answer] = field(default_factory=deque)
    rules: list[Rule] = field(default_factory=list)
    default: Answer = field(default_factory=lambda: Answer(text="Hello from the model."))
    models: list[Json] = field(default_factory=lambda: [model_entry(id) for id in DEFAULT_MODELS])
    models_answer: Answer | None = None
    """When set, `/v1/models` does this instead of listing the models."""
    apis: list[str] = field(default_factory=lambda: ["chat_completions", "responses"])
    knows_only_listed: bool = False
    api_key: str | None = None
    refuses: list[str] = field(default_factory=list)
    """Parameters that get a 400, such as `max_completion_tokens`."""


def model_entry(model: str, **more: object) -> Json:
    return {"id": model, "object": "model", "created": 1_700_000_000, "owned_by": "double", **more}


class ModelEndpoint:
    """The double: a server in a thread, and the words with which a test scripts it."""

    def __init__(self) -> None:
        self.script = Script()
        self.requests: list[RecordedRequest] = []
        """Every request for an answer, in order of arrival; not the ones for `/models`."""
        self._socket: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    # --- the words of a test -----------------------------------------------------------------

    def will_answer(self, text: str, **more: Any) -> None:
        """The next request not yet scripted gets this text; `more` are fields of `Answer`."""
        self.will(Answer(text=text, **more))

    def will_answer_json(self, value: object, **more: Any) -> None:
        self.will(Answer(text=json.dumps(value), **more))

    def will_call(self, *calls: tuple[str, Json | str], text: str = "", **more: Any) -> None:
        """The model calls functions: `("display_quiz", {…})`; arguments as a string go as is."""
        self.will(Answer(text=text, calls=[_call(*call) for call in calls], **more))

    def will_refuse(self, text: str, **more: Any) -> None:
        self.will(Answer(refusal=text, **more))

    def will_fail(
        self,
        status: int,
        code: str | None = None,
        message: str | None = None,
        times: int = 1,
        **more: Any,
    ) -> None:
        """An HTTP error with OpenAI's body. The SDK retries 429 and 5xx twice: see `times`."""
        answer = Answer(status=status, error=error_body(status, code, message), **more)
        for _ in range(times):
            self.will(answer)

    def will(self, answer: Answer) -> None:
        self.script.queue.append(answer)

    def when(self, contains: str, answer: Answer) -> None:
        """Each request whose last message or item contains the text gets this answer."""
        self.script.rules.append(Rule(contains, answer))

    def default_answer(self, text: str = "", **more: Any) -> None:
        """What a request gets that nothing else was scripted for."""
        self.script.default = Answer(text=text, **more)

    def refuse_parameters(self, *names: str) -> None:
        self.script.refuses = list(names)

    def lists_models(self, *models: str | Json) -> None:
        self.script.models = [
            model_entry(model) if isinstance(model, str) else model for model in models
        ]

    def reset(self) -> None:
        self.script = Script()
        self.requests.clear()

    @property
    def last(self) -> Json:
        """The body of the last request."""
        return self.requests[-1].body

    # --- the server --------------------------------------------------------------------------

    @property
    def port(self) -> int:
        assert self._socket, "the endpoint has not been started"
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self.bind(0)
        self._server = self._new_server()
        sockets = [self._socket] if self._socket else []
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": sockets}, daemon=True
        )
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the model endpoint double did not start"
            time.sleep(0.005)
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._server and self._thread
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(timeout=10)
        if self._socket:
            self._socket.close()

    def bind(self, port: int) -> None:
        # asyncio turns Nagle's delays off only where the protocol is named.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self._socket.listen(4096)

    def serve(self) -> None:
        """Serve in this thread until the process is stopped."""
        sockets = [self._socket] if self._socket else []
        self._new_server().run(sockets=sockets)

    def _new_server(self) -> uvicorn.Server:
        config = uvicorn.Config(
            self._app,
            http="httptools",
            interface="asgi3",
            proxy_headers=False,
            ws="none",
            lifespan="off",
            log_level="error",
            access_log=False,
            timeout_keep_alive=60,
            backlog=4096,
        )
        return uvicorn.Server(config)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _Exchange(scope, receive, send)
        await exchange.read()
        route = (scope["method"], scope["path"])
        if route == ("GET", "/v1/models"):
            await self._list_models(exchange)
        elif scope["method"] == "POST" and _api_at(scope["path"]) in self.script.apis:
            await self._answer(exchange)
        elif route == ("POST", "/control"):
            self._take_control(exchange.body)
            await exchange.json(200, {"ok": True})
        elif route == ("GET", "/control"):
            await exchange.json(200, {"requests": [asdict(one) for one in self.requests]})
        else:
            await exchange.json(404, {"detail": "Not Found"})

    def _take_control(self, body: Json) -> None:
        if body.get("reset"):
            self.reset()
        self.script.queue.extend(Answer(**answer) for answer in body.get("queue", []))
        for rule in body.get("rules", []):
            self.when(rule["contains"], Answer(**rule["answer"]))
        if "default" in body:
            self.script.default = Answer(**body["default"])
        if "models" in body:
            self.lists_models(*body["models"])
        for name in ("apis", "knows_only_listed", "api_key", "refuses"):
            if name in body:
                setattr(self.script, name, body[name])

    async def _list_models(self, exchange: "_Exchange") -> None:
        if problem := self._key_problem(exchange):
            await exchange.json(401, problem)
        elif self.script.models_answer:
            await _misbehave_or_fail(exchange, self.script.models_answer)
        else:
            await exchange.json(200, {"object": "list", "data": self.script.models})

    async def _answer(self, exchange: "_Exchange") -> None:
        is_chat = exchange.path == CHAT
        if not exchange.body:
            # A probe for the API, not a request for an answer.
            await exchange.json(400, error_body(400, None, "you must provide a model parameter"))
            return
        record = RecordedRequest(exchange.path, exchange.headers, exchange.body)
        self.requests.append(record)
        try:
            if refusal := self._refusal(exchange, is_chat):
                await exchange.json(*refusal)
            else:
                await self._act(exchange, is_chat)
        finally:
            record.disconnected = exchange.disconnected
            record.finished = exchange.finished

    def _refusal(self, exchange: "_Exchange", is_chat: bool) -> tuple[int, Json] | None:
        body = exchange.body
        if problem := self._key_problem(exchange):
            return 401, problem
        known = [entry["id"] for entry in self.script.models]
        if self.script.knows_only_listed and body["model"] not in known:
            text = f"The model `{body['model']}` does not exist or you do not have access to it."
            return 404, error_body(404, "model_not_found", text)
        for name in self.script.refuses:
            if name in body or name in (body.get("text") or {}):
                text = f"Unsupported parameter: '{name}' is not supported with this model."
                return 400, error_body(400, "unsupported_parameter", text, name)
        invalid = _chat_problem(body) if is_chat else _responses_problem(body)
        return (400, error_body(400, None, invalid)) if invalid else None

    def _key_problem(self, exchange: "_Exchange") -> Json | None:
        given = exchange.headers.get("authorization", "").removeprefix("Bearer ")
        if self.script.api_key is None or given == self.script.api_key:
            return None
        text = (
            f"Incorrect API key provided: {given}. "
            "You can find your API key at https://platform.openai.com/account/api-keys."
        )
        return error_body(401, "invalid_api_key", text)

    async def _act(self, exchange: "_Exchange", is_chat: bool) -> None:
        body = exchange.body
        answer = _within_limit(self._next_answer(body), body)
        if answer.status != 200 or answer.fault in ("hang", "html"):
            await _misbehave_or_fail(exchange, answer)
            return
        prompt_tokens = answer.prompt_tokens
        if prompt_tokens is None:
            prompt_tokens = max(1, len(json.dumps(_conversation(body))) // 4)
        if not body.get("stream"):
            await asyncio.sleep(answer.initial_delay)
            whole = _whole(answer, body, is_chat)
            await exchange.json(200, _filled(whole, prompt_tokens, completion_tokens(answer)))
            return
        await exchange.stream(answer, _frames(answer, body, is_chat), prompt_tokens)

    def _next_answer(self, body: Json) -> Answer:
        if self.script.queue:
            return self.script.queue.popleft()
        said = json.dumps(_conversation(body)[-1:], ensure_ascii=False)
        for rule in self.script.rules:
            if rule.contains in said:
                return rule.answer
        return self.script.default


def _api_at(path: str) -> str:
    return {CHAT: "chat_completions", RESPONSES: "responses"}.get(path, "")


class _Exchange:
    """One HTTP request and what is written back."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.path: str = scope["path"]
        self.headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.body: Json = {}
        self.finished = False
        self._receive = receive
        self._send = send

    @property
    def _cycle(self) -> Any:
        # uvicorn's own object of this request: the one way to its transport.
        return getattr(self._send, "__self__")  # noqa: B009

    @property
    def disconnected(self) -> bool:
        return bool(self._cycle.disconnected) and not self.finished

    async def read(self) -> None:
        parts = []
        while True:
            message = await self._receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        data = b"".join(parts)
        self.body = json.loads(data) if data else {}

    async def json(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        await self.whole(status, json.dumps(body).encode(), "application/json", headers)

    async def whole(
        self, status: int, data: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        await self._start(status, kind, headers or {}, [("content-length", str(len(data)))])
        await self._send({"type": "http.response.body", "body": data})
        self.finished = True

    async def stream(self, answer: Answer, frames: list[Frame], prompt_tokens: int) -> None:
        """Write the frames, tokens paced against the clock so that delays do not add up."""
        loop = asyncio.get_running_loop()
        began = loop.time() + answer.initial_delay
        await self._start(200, "text/event-stream; charset=utf-8", answer.headers, [])
        if answer.initial_delay:
            await asyncio.sleep(answer.initial_delay)
        unique, completion = secrets.token_hex(12), completion_tokens(answer)
        sent = 0
        for frame in frames:
            if answer.fault and sent == answer.fault_after and frame.is_token:
                await self.misbehave(answer)
                return
            if frame.is_token and answer.token_delay:
                wait = began + sent * answer.token_delay - loop.time()
                if wait > 0:
                    await asyncio.sleep(wait)
            sent += frame.is_token
            if self.disconnected:
                return
            await self._write(frame.filled(unique, prompt_tokens, completion))
        if answer.fault:
            await self.misbehave(answer)
            return
        await self._send({"type": "http.response.body", "body": b""})
        self.finished = True

    async def misbehave(self, answer: Answer) -> None:
        match answer.fault:
            case "hang" | "stall":
                await self._wait_for_disconnect()
            case "break":
                self._cycle.transport.close()
            case "reset":
                self._cycle.transport.abort()
            case "garbage":
                await self._write(b'data: {"choices": [{"delta": \xff\xfe<oops>\n\n')
                await self._wait_for_disconnect()
            case "slow_loris":
                while not self.disconnected:
                    await self._write(b"x")
                    await asyncio.sleep(0.05)
            case "error_event":
                await self._write(_error_event(answer, self.path))
                await self._send({"type": "http.response.body", "body": b""})
            case "failed_event":
                await self._write(_failed_event(answer))
                await self._send({"type": "http.response.body", "body": b""})
            case "end":
                await self._send({"type": "http.response.body", "body": b""})
            case "html":
                await self.whole(200, b"<html><body>Welcome</body></html>", "text/html")
            case other:
                raise AssertionError(f"unknown fault {other}")

    async def _start(
        self, status: int, kind: str, headers: dict[str, str], more: list[tuple[str, str]]
    ) -> None:
        pairs = [("content-type", kind), ("x-request-id", f"req_{secrets.token_hex(8)}")]
        pairs += [*more, *headers.items()]
        encoded = [(name.encode(), value.encode()) for name, value in pairs]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def _write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


def error_body(
    status: int, code: str | None = None, message: str | None = None, param: str | None = None
) -> Json:
    """OpenAI's error body, with the code, type and words that belong to the status."""
    default_code, kind, text = _ERRORS.get(status, (None, "server_error", "Something failed."))
    return {
        "error": {
            "message": message or text,
            "type": kind,
            "param": param,
            "code": code or default_code,
        }
    }


_ERRORS: dict[int, tuple[str | None, str, str]] = {
    400: (None, "invalid_request_error", "The request is not valid."),
    401: ("invalid_api_key", "invalid_request_error", "Incorrect API key provided."),
    403: ("unsupported_country_region_territory", "request_forbidden", "Not available."),
    404: ("model_not_found", "invalid_request_error", "The model does not exist."),
    429: (
        "rate_limit_exceeded",
        "requests",
        "Rate limit reached for gpt-4o in organization org-double on requests per min (RPM): "
        "Limit 3, Used 3, Requested 1. Please try again in 20s.",
    ),
    500: (
        None,
        "server_error",
        "The server had an error while processing your request. Sorry about that!",
    ),
    503: (None, "server_error", "The engine is currently overloaded, please try again later."),
}


async def _misbehave_or_fail(exchange: _Exchange, answer: Answer) -> None:
    await asyncio.sleep(answer.initial_delay)
    if answer.fault:
        await exchange.misbehave(answer)
    elif isinstance(answer.error, str):
        await exchange.whole(answer.status, answer.error.encode(), "text/html", answer.headers)
    else:
        body = answer.error or error_body(answer.status)
        await exchange.json(answer.status, body, answer.headers)


def _call(name: str, arguments: Json | str) -> tuple[str, str]:
    return name, arguments if isinstance(arguments, str) else json.dumps(arguments)


def _frames(answer: Answer, body: Json, is_chat: bool) -> list[Frame]:
    if is_chat:
        include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return chat_frames(answer, body["model"], include_usage)
    return responses_frames(answer, body["model"], _echo(body))


def _whole(answer: Answer, body: Json, is_chat: bool) -> Json:
    if is_chat:
        return chat_body(answer, body["model"])
    return responses_body(answer, body["model"], _echo(body))


def _echo(body: Json) -> Json:
    return {name: value for name, value in body.items() if name not in ("input", "instructions")}


def _filled(whole: Json, prompt_tokens: int, completion: int) -> Json:
    text = json.dumps(whole).replace("@@id@@", secrets.token_hex(12))
    text = text.replace(str(TOTAL_TOKENS), str(prompt_tokens + completion))
    filled: Json = json.loads(text.replace(str(PROMPT_TOKENS), str(prompt_tokens)))
    return filled


def _conversation(body: Json) -> list[Any]:
    said = body.get("messages", body.get("input", []))
    return said if isinstance(said, list) else [said]


def _within_limit(answer: Answer, body: Json) -> Answer:
    """Cut the answer where the request's own limit of tokens cuts it."""
    names = ("max_completion_tokens", "max_tokens", "max_output_tokens")
    limit = next((body[name] for name in names if body.get(name)), None)
    tokens = tokens_of(answer)
    if limit is None or len(tokens) <= limit:
        return answer
    return replace(answer, text="".join(tokens[:limit]), tokens=0, calls=[], finish="length")


def _error_event(answer: Answer, path: str) -> bytes:
    fallback: Json = error_body(500)
    error: Json = (answer.error if isinstance(answer.error, dict) else fallback)["error"]
    if path == CHAT:
        return f"data: {json.dumps({'error': error})}\n\n".encode()
    event = {"type": "error", "sequence_number": 9} | {
        name: error[name] for name in ("code", "message", "param")
    }
    return f"event: error\ndata: {json.dumps(event)}\n\n".encode()


def _failed_event(answer: Answer) -> bytes:
    error = (answer.error if isinstance(answer.error, dict) else error_body(500))["error"]
    response: Json = {
        "id": "resp_failed",
        "object": "response",
        "status": "failed",
        "error": {"code": error["code"] or "server_error", "message": error["message"]},
        "output": [],
        "usage": None,
    }
    event = {"type": "response.failed", "sequence_number": 9, "response": response}
    return f"event: response.failed\ndata: {json.dumps(event)}\n\n".encode()


def _chat_problem(body: Json) -> str | None:
    """What OpenAI's endpoint finds wrong with a conversation, in its words."""
    if not body.get("messages"):
        return "Missing required parameter: 'messages'."
    if not body.get("tools") and ("tool_choice" in body or "parallel_tool_calls" in body):
        return "'tool_choice' is only allowed when 'tools' are specified."
    waiting: list[str] = []
    for at, message in enumerate(body["messages"]):
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return (
                    f"Invalid parameter: messages[{at}] with role 'tool' must be a response to "
                    "a preceeding message with 'tool_calls'."
                )
            waiting.remove(message["tool_call_id"])
        elif waiting:
            break
        waiting = waiting or [call["id"] for call in message.get("tool_calls") or []]
    if waiting:
        return (
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            "to each 'tool_call_id'. The following tool_call_ids did not have response messages: "
            + ", ".join(waiting)
        )
    return None


def _responses_problem(body: Json) -> str | None:
    if not body.get("input"):
        return "Missing required parameter: 'input'."
    if isinstance(body["input"], str):
        return None
    if (body.get("max_output_tokens") or 16) < 16:
        return (
            "Invalid 'max_output_tokens': integer below minimum value. "
            "Expected a value >= 16, but got a lower one instead."
        )
    if "stream_options" in body or "max_tokens" in body or "response_format" in body:
        return "Unknown parameter."
    outputs = [item["call_id"] for item in body["input"] if _is(item, "function_call_output")]
    for item in body["input"]:
        if _is(item, "function_call") and item["call_id"] not in outputs:
            return f"No tool output found for function call {item['call_id']}."
    calls = [item["call_id"] for item in body["input"] if _is(item, "function_call")]
    for call_id in outputs:
        if call_id not in calls:
            return f"No tool call found for function call output with call_id {call_id}."
    return None


def _is(item: Json, kind: str) -> bool:
    return item.get("type") == kind


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    endpoint = ModelEndpoint()
    endpoint.bind(parser.parse_args().port)
    print(endpoint.port, flush=True)
    endpoint.serve()


if __name__ == "__main__":
    main()
