"""Where traces go: AgentOps, and any OTLP endpoint. Both speak OTLP over HTTP."""

from typing import Protocol

import httpx

_TIMEOUT = httpx.Timeout(10.0)
_UNACCEPTABLE = (400, 413, 422)
_PROTOBUF = {"Content-Type": "application/x-protobuf"}


class RefusedError(Exception):
    """The destination wants another key. The text is one sentence for people."""


class UnreachableError(Exception):
    """The destination did not take the traces now. The text is one sentence for people."""


class UnacceptableError(Exception):
    """These very traces will not be taken, now or later. The text is one sentence for people."""


class Destination(Protocol):
    @property
    def name(self) -> str:
        """As people know it; also the name under which deliveries are recorded."""
        ...

    async def send(self, traces: bytes) -> None:
        """Deliver an OTLP protobuf request.

        Raises RefusedError, UnreachableError and UnacceptableError.
        """
        ...

    async def close(self) -> None: ...


class OtlpEndpoint:
    """Any collector: `{endpoint}/v1/traces`."""

    name = "otlp"

    def __init__(self, endpoint: str) -> None:
        self._url = f"{endpoint}/v1/traces"
        self._http = httpx.AsyncClient(timeout=_TIMEOUT)

    async def send(self, traces: bytes) -> None:
        response = await _post(self._http, self._url, traces, _PROTOBUF)
        if response.status_code in (401, 403):
            raise RefusedError(
                f"{self._url} refused the traces ({response.status_code}): it wants credentials. "
                "Check OTEL_EXPORTER_OTLP_ENDPOINT."
            )
        _check(response, self._url)

    async def close(self) -> None:
        await self._http.aclose()


class AgentOps:
    """AgentOps' service: a key buys a token, the token delivers traces."""

    name = "agentops"

    def __init__(self, api: str, otlp: str, key: str) -> None:
        self._login_url = f"{api}/v3/auth/token"
        self._traces_url = f"{otlp}/v1/traces"
        self._key = key
        self._token: str | None = None
        self._http = httpx.AsyncClient(timeout=_TIMEOUT)

    async def send(self, traces: bytes) -> None:
        token = self._token or await self._log_in()
        response = await self._deliver(traces, token)
        if response.status_code in (401, 403):
            # Tokens run out after a month, and sooner when a key is changed.
            self._token = None
            response = await self._deliver(traces, await self._log_in())
        if response.status_code in (401, 403):
            raise RefusedError("AgentOps refused the key's traces. Check AGENTOPS_API_KEY.")
        _check(response, self._traces_url)

    async def close(self) -> None:
        await self._http.aclose()

    async def _deliver(self, traces: bytes, token: str) -> httpx.Response:
        headers = {**_PROTOBUF, "Authorization": f"Bearer {token}"}
        return await _post(self._http, self._traces_url, traces, headers)

    async def _log_in(self) -> str:
        try:
            response = await self._http.post(self._login_url, json={"api_key": self._key})
        except httpx.HTTPError as error:
            raise _unreachable(self._login_url, error) from None
        if 400 <= response.status_code < 500 and response.status_code != 429:
            raise RefusedError("AgentOps refused the key. Check AGENTOPS_API_KEY.")
        _check(response, self._login_url)
        try:
            token = response.json()["token"]
        except (ValueError, KeyError, TypeError):
            token = None
        if not isinstance(token, str):
            raise UnreachableError(f"{self._login_url} answered with something else than a token.")
        self._token = token
        return token


async def _post(
    http: httpx.AsyncClient, url: str, content: bytes, headers: dict[str, str]
) -> httpx.Response:
    try:
        return await http.post(url, content=content, headers=headers)
    except httpx.HTTPError as error:
        raise _unreachable(url, error) from None


def _check(response: httpx.Response, url: str) -> None:
    if response.status_code in _UNACCEPTABLE:
        raise UnacceptableError(
            f"{url} does not take it ({response.status_code} {response.reason_phrase})."
        )
    if not response.is_success:
        raise UnreachableError(f"{url} answered {response.status_code}.")


def _unreachable(url: str, error: httpx.HTTPError) -> UnreachableError:
    if isinstance(error, httpx.TimeoutException):
        return UnreachableError(f"{url} did not answer in time.")
    return UnreachableError(f"{url} cannot be reached.")
