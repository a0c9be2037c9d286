"""Speaking to the model server: streamed chat completions and token counts."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import httpx
from httpx_sse import SSEError, aconnect_sse

from lib.models.embedded.process import ServerProcess
from lib.models.provider import ContextTooLongError, Json, ModelError, Usage

_STREAM_TIMEOUT = httpx.Timeout(600.0, connect=5.0)
"""Reading a long prompt, or waiting for a free slot, can take minutes on a small machine."""
_GONE = "The embedded model stopped while it was answering; it is being restarted. Try again."


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a completion. `truncated` when the token limit cut it off."""

    truncated: bool
    usage: Usage


class ServerGoneError(ModelError):
    """The server could not be reached or broke off; its supervisor is starting another."""

    def __init__(self) -> None:
        super().__init__("server_error", _GONE)


class Completions:
    """A client of one server process."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        # trust_env: a proxy set for the web must not be asked for an address of this machine.
        self._http = httpx.AsyncClient(
            base_url=server.url,
            headers={"Authorization": f"Bearer {server.key}"},
            timeout=_STREAM_TIMEOUT,
            limits=httpx.Limits(max_connections=None),
            trust_env=False,
        )

    async def stream(self, body: Json) -> AsyncGenerator[str | Done]:
        """Pieces of text as they are generated, then `Done`. Raises ModelError.

        Closing the iterator closes the connection, which stops the generation.
        """
        request = body | {"stream": True, "stream_options": {"include_usage": True}}
        truncated = False
        try:
            async with aconnect_sse(
                self._http, "POST", "/v1/chat/completions", json=request
            ) as events:
                await _raise_refusal(events.response)
                async for event in events.aiter_sse():
                    if event.data == "[DONE]":
                        return
                    chunk = json.loads(event.data)
                    if "error" in chunk:
                        raise _refusal(chunk["error"])
                    for choice in chunk["choices"]:
                        truncated = truncated or choice["finish_reason"] == "length"
                        if text := choice["delta"].get("content"):
                            yield text
                    if "usage" in chunk:
                        yield Done(truncated, _usage(chunk["usage"]))
        except (httpx.HTTPError, SSEError, ValueError, KeyError):
            raise ServerGoneError from None

    async def tokenize(self, text: str) -> int:
        answer = await self._post("/tokenize", {"content": text})
        return len(answer["tokens"])

    async def context_window(self) -> int:
        try:
            answer = await self._http.get("/props")
            return int(answer.json()["default_generation_settings"]["n_ctx"])
        except (httpx.HTTPError, ValueError, KeyError):
            raise ServerGoneError from None

    async def close(self) -> None:
        await self._http.aclose()

    async def _post(self, path: str, body: Json) -> Json:
        try:
            answer = await self._http.post(path, json=body)
            await _raise_refusal(answer)
            return dict(answer.json())
        except (httpx.HTTPError, ValueError):
            raise ServerGoneError from None


async def _raise_refusal(response: httpx.Response) -> None:
    if response.is_success:
        return
    await response.aread()
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        raise ServerGoneError from None
    raise _refusal(error)


def _refusal(error: Any) -> ModelError:
    details = error if isinstance(error, dict) else {"message": str(error)}
    message = str(details.get("message", "no reason given"))
    if details.get("type") == "exceed_context_size_error":
        used, window = details.get("n_prompt_tokens"), details.get("n_ctx")
        return ContextTooLongError(
            f"The messages hold {used} tokens and the embedded model's context window is {window}."
        )
    if details.get("type") == "invalid_request_error":
        return ModelError("invalid_prompt", f"The embedded model refused the request: {message}")
    return ModelError("server_error", f"The embedded model failed: {message}")


def _usage(counts: Json) -> Usage:
    details = counts.get("prompt_tokens_details") or {}
    return Usage(
        prompt=counts["prompt_tokens"],
        completion=counts["completion_tokens"],
        cached=details.get("cached_tokens", 0),
    )
