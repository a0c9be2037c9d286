"""One OpenAI-compatible endpoint: its connections, its event streams and its list of models."""

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

import aiohttp
import httpx2
from openai import APIStatusError, AsyncAPIResponse, AsyncOpenAI, DefaultAioHttpClient, OpenAIError

from lib.models.endpoint_errors import EndpointErrors, body_error, refused_parameter
from lib.models.provider import Json, ModelError, ModelRequest

NO_KEY = "no-key"
"""What servers without keys get: the SDK insists on one."""

LIST_KEPT_FOR = 60.0
LIST_FAILURE_KEPT_FOR = 5.0
"""Seconds for which the list of models, or the failure to get it, is remembered."""

# Long, because thousands of connections begun at once on a busy machine wait for each other.
_CONNECT_TIMEOUT = 30.0
_LIST_TIMEOUT = 10.0
_DRAIN_TIMEOUT = 0.1
_MAX_CONNECTIONS = 10_000
_MAX_EVENT_BYTES = 64 * 1024 * 1024

# The SDK lets some of aiohttp's errors through as they are.
_NETWORK_ERRORS = (OpenAIError, httpx2.HTTPError, aiohttp.ClientError)

Opening = AbstractAsyncContextManager[AsyncAPIResponse[Any]]
Open = Callable[[AsyncOpenAI, frozenset[str]], Opening]
"""Starts a call through this client that leaves out the named parameters."""


class Endpoint:
    """Speaks to one base URL. Safe to use from any number of tasks of one event loop."""

    def __init__(self, base_url: str, api_key: str | None, timeout: float) -> None:
        self.address = without_credentials(base_url)
        self.errors = EndpointErrors(self.address, _secrets(base_url, api_key), timeout)
        self._client = _client(base_url, api_key, timeout)
        self.is_reachable = False
        """As the last look at the list of models found it."""
        self._timeout = timeout
        self._refused: dict[str, set[str]] = {}
        self._models: list[Json] = []
        self._models_error: ModelError | None = None
        self._models_until = 0.0
        self._models_lock = asyncio.Lock()

    async def events(
        self, request: ModelRequest, dispensable: frozenset[str], open_call: Open
    ) -> AsyncGenerator[Json, None]:
        """The JSON of each event of one streamed answer. Raises ModelError.

        Ends with the stream, or at `[DONE]`. Parameters among `dispensable` which the endpoint
        refuses for this model are left out, now and from then on.
        """
        try:
            async with AsyncExitStack() as stack:
                response = await self._open(stack, request, dispensable, open_call)
                source = httpx2.EventSource(response, max_event_size=_MAX_EVENT_BYTES)
                lines = cast(AsyncGenerator[httpx2.ServerSentEvent, None], aiter(source))
                async with aclosing(lines):
                    async for line in lines:
                        if line.data.startswith("[DONE]"):
                            break
                        if line.data:
                            yield self._parsed(line.data, request)
                    await _drain(lines)
        except httpx2.ReadTimeout:
            raise self.errors.fell_silent() from None
        except httpx2.SSEError as error:
            raise self.errors.not_understood(str(error).rstrip(".")) from None
        except (httpx2.HTTPError, aiohttp.ClientError):
            raise self.errors.broken_off() from None

    async def models(self, fresh: bool = False) -> list[Json]:
        """The endpoint's own list, with whatever else it says of each. Raises ModelError."""
        async with self._models_lock:
            if fresh or time.monotonic() >= self._models_until:
                await self._refresh_models()
        if self._models_error:
            raise ModelError(self._models_error.code, self._models_error.message)
        return self._models

    async def context_window(self, model: str) -> int | None:
        """Tokens, when the list of models tells them."""
        try:
            entries = await self.models()
        except ModelError:
            return None
        entry = next((entry for entry in entries if entry["id"] == model), {})
        meta = entry.get("meta") or {}
        told = (
            entry.get("max_model_len"),
            entry.get("context_length"),
            entry.get("context_window"),
            entry.get("max_context_length"),
            meta.get("n_ctx") if isinstance(meta, dict) else None,
        )
        return next((size for size in told if isinstance(size, int) and size > 0), None)

    async def has(self, path: str) -> bool | None:
        """Whether the endpoint has an API, asked without costing tokens; None when it is unclear.

        The empty request is turned down either way: as invalid, or as unknown.
        """
        client = self._client.with_options(max_retries=0, timeout=_LIST_TIMEOUT)
        try:
            await client.post(path, body={}, cast_to=httpx2.Response)
        except APIStatusError as error:
            if error.status_code in (400, 422):
                return body_error(error.body) is not None
            return False if error.status_code in (404, 405, 501) else None
        except _NETWORK_ERRORS:
            return None
        return True

    async def close(self) -> None:
        await self._client.close()

    async def _open(
        self,
        stack: AsyncExitStack,
        request: ModelRequest,
        dispensable: frozenset[str],
        open_call: Open,
    ) -> httpx2.Response:
        refused = self._refused.setdefault(request.model, set())
        while True:
            without = frozenset(refused & dispensable)
            try:
                # The SDK would start the same long wait again after each timeout of its own.
                async with asyncio.timeout(self._timeout):
                    opened = await stack.enter_async_context(open_call(self._client, without))
                return opened.http_response
            except TimeoutError:
                raise self.errors.timed_out() from None
            except APIStatusError as error:
                name = refused_parameter(error, dispensable - without)
                if name is None:
                    raise self.errors.from_exception(error, request) from None
                refused.add(name)
            except _NETWORK_ERRORS as error:
                raise self.errors.from_exception(error, request) from None

    def _parsed(self, data: str, request: ModelRequest) -> Json:
        try:
            event = json.loads(data)
        except ValueError:
            raise self.errors.not_understood("an event is not JSON") from None
        if not isinstance(event, dict):
            raise self.errors.not_understood("an event is not a JSON object")
        if "choices" not in event and event.get("error") and "type" not in event:
            raise self.errors.from_failure(body_error(event) or {}, request)
        return event

    async def _refresh_models(self) -> None:
        try:
            self._models, self._models_error = await self._fetch_models(), None
        except ModelError as error:
            self._models_error = error
        kept_for = LIST_FAILURE_KEPT_FOR if self._models_error else LIST_KEPT_FOR
        self._models_until = time.monotonic() + kept_for

    async def _fetch_models(self) -> list[Json]:
        client = self._client.with_options(max_retries=0, timeout=_LIST_TIMEOUT)
        try:
            answer = await client.models.with_raw_response.list()
            body = json.loads(answer.http_response.text)
        except APIStatusError as error:
            # Plenty of servers answer well without having a list.
            self.is_reachable = error.status_code in (404, 405, 501)
            raise self.errors.from_exception(error) from None
        except _NETWORK_ERRORS as error:
            self.is_reachable = False
            raise self.errors.from_exception(error) from None
        except ValueError:
            raise self.errors.not_understood("the list of models is not JSON") from None
        self.is_reachable = True
        listed = body.get("data", body.get("models")) if isinstance(body, dict) else body
        if not isinstance(listed, list):
            raise self.errors.not_understood("the list of models is not a list")
        return [_entry(item) for item in listed if isinstance(item, dict)]


def without_credentials(url: str) -> str:
    """The address as it may be shown: no user, password or query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


async def _drain(lines: AsyncIterator[object]) -> None:
    """Read what follows the last event, so that the connection can be used again."""
    try:
        async with asyncio.timeout(_DRAIN_TIMEOUT):
            async for _ in lines:
                pass
    except (TimeoutError, httpx2.HTTPError, aiohttp.ClientError):
        # The answer is complete: a connection that cannot be used again is closed, no more.
        return


def _client(base_url: str, api_key: str | None, timeout: float) -> AsyncOpenAI:
    parts = urlsplit(base_url)
    headers = {}
    if parts.username and not api_key:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
    limit = httpx2.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT))
    return AsyncOpenAI(
        base_url=without_credentials(base_url),
        api_key=api_key or NO_KEY,
        timeout=limit,
        max_retries=2,
        default_headers=headers,
        default_query=dict(parse_qsl(parts.query)),
        # Over aiohttp a streamed token costs half as much time as over httpx's own connections.
        http_client=DefaultAioHttpClient(
            timeout=limit,
            # How many answers run at once is the engine's to say; unset, it would be 100.
            limits=httpx2.Limits(max_connections=_MAX_CONNECTIONS, keepalive_expiry=30),
        ),
    )


def _secrets(base_url: str, api_key: str | None) -> list[str]:
    parts = urlsplit(base_url)
    password = parts.password or ""
    queried = [value for _, value in parse_qsl(parts.query)]
    return [text for text in (api_key, password, unquote(password), *queried) if text]


def _entry(item: Json) -> Json:
    name = item.get("id") or item.get("name") or item.get("model") or ""
    return item | {"id": str(name)}
