"""AgentOps' two endpoints and an OTLP collector for tests: a real HTTP server.

It checks what the services check: the key, the bearer token, the content type and that the body
is an OTLP request, decoded with the published protobuf definitions.
"""

import json
import secrets
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

LOGIN = "/v3/auth/token"
TRACES = "/v1/traces"


@dataclass
class Receiver:
    """`fails_with` is a status for every request; `hangs` lets them wait without an answer."""

    port: int = 0
    """0 until the system has chosen one."""
    key: str = "agentops-key-of-the-test"
    fails_with: int | None = None
    hangs: bool = False
    largest_body: int | None = None
    """Bytes of a request beyond which it is refused, as proxies before collectors do."""
    asks_for_token: bool = True
    tokens: set[str] = field(default_factory=set)
    logins: int = 0
    hanging: int = 0
    """Requests that wait now."""
    problems: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    _server: ThreadingHTTPServer | None = None

    def revoke_tokens(self) -> None:
        self.tokens.clear()

    def trace(self, trace_id: str) -> list[Span]:
        """The spans of one trace as they came."""
        return [span for span in list(self.spans) if span.trace_id.hex() == trace_id]

    def wait_for(self, trace_id: str, within: float = 60.0) -> list[Span]:
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if spans := self.trace(trace_id):
                return spans
            time.sleep(0.02)
        raise AssertionError(f"no trace {trace_id} arrived; problems: {self.problems}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler_of(self))
        self.port = self._server.server_address[1]
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stopped.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, Any]] | None:
        """None when the connection ends without an answer."""
        if self.hangs:
            self._hang()
            return None
        if self.fails_with:
            return self.fails_with, {"error": "as the test wants it"}
        if path == LOGIN:
            return self._log_in(body)
        if path == TRACES:
            return self._take_traces(headers, body)
        self.problems.append(f"unknown path {path}")
        return 404, {}

    def _hang(self) -> None:
        self.hanging += 1
        while self.hangs and not self.stopped.wait(0.02):
            pass
        self.hanging -= 1

    def _log_in(self, body: bytes) -> tuple[int, dict[str, Any]]:
        self.logins += 1
        if json.loads(body) != {"api_key": self.key}:
            return 401, {"error": "Invalid API key"}
        token = secrets.token_hex(16)
        self.tokens.add(token)
        return 200, {"token": token, "project_id": "project"}

    def _take_traces(self, headers: Any, body: bytes) -> tuple[int, dict[str, Any]]:
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        if self.asks_for_token and token not in self.tokens:
            return 401, {"error": "Invalid token"}
        if headers.get("Content-Type") != "application/x-protobuf":
            self.problems.append(f"content type {headers.get('Content-Type')}")
            return 415, {}
        if self.largest_body is not None and len(body) > self.largest_body:
            return 413, {}
        try:
            request = ExportTraceServiceRequest.FromString(body)
        except Exception as error:
            self.problems.append(f"no OTLP request: {error}")
            return 400, {}
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.problems += [why for span in scope.spans if (why := _problem_of(span))]
                self.spans.extend(scope.spans)
        return 200, {}


@dataclass
class BlackHole:
    """An address where connections are never made: packets are dropped."""

    port: int = 0

    def __enter__(self) -> Self:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._listener.listen(0)
        self._waiting: list[socket.socket] = []
        for _ in range(4):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(self._listener.getsockname())
            self._waiting.append(waiting)
        return self

    def __exit__(self, *exception: object) -> None:
        for one in [*self._waiting, self._listener]:
            one.close()


def attributes_of(span: Span) -> dict[str, Any]:
    """A span's attributes as plain values."""
    found: dict[str, Any] = {}
    for attribute in span.attributes:
        kind = attribute.value.WhichOneof("value")
        found[attribute.key] = getattr(attribute.value, str(kind))
    return found


def _problem_of(span: Span) -> str:
    """Why a collector would throw the span away; empty when it would not."""
    if len(span.trace_id) != 16 or not any(span.trace_id):
        return f"{span.name} has no trace id"
    if len(span.span_id) != 8 or not any(span.span_id):
        return f"{span.name} has no span id"
    if not 0 < span.start_time_unix_nano <= span.end_time_unix_nano:
        return f"{span.name} ends before it starts"
    return ""


def _handler_of(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answered = receiver.answer(self.path, self.headers, body)
            if answered is None:
                self.close_connection = True
                return
            status, answer = answered
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())
            except OSError:
                return

        def log_message(self, *_: Any) -> None:
            return

    return Handler
