"""Speaking to the model server: streamed chat completions and token counts."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx
from httpx_sse import SSEError, aconnect_sse

from lib.models.embedded.process import ServerProcess
from lib.models.embedded.schemas import ANY_OBJECT, guided
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
        self._enforceable: dict[str, bool] = {}
        # trust_env: a proxy set for the web must not be asked for an address of this machine.
        self._http = httpx.AsyncClient(
            base_url=server.url,
            headers={"Authorization": f"Bearer {server.key}"},
            timeout=_STREAM_TIMEOUT,
            limits=httpx.Limits(max_connections=None),
            trust_env=False,
        )

    async def chat(self, body: Json) -> AsyncGenerator[str | Done]:
        """A free chat completion: pieces of text as they are generated, then `Done`.

        Raises ModelError. Closing the iterator closes the connection, which stops the generation.
        """
        # Models that can think aloud are asked not to: nothing here would show their thoughts.
        plain = body | {"chat_template_kwargs": {"enable_thinking": False}}
        async with aclosing(self._stream("/v1/chat/completions", plain)) as pieces:
            async for piece in pieces:
                yield piece

    async def guided(
        self, messages: list[Json], opening: str, schema: Json, sampling: Json
    ) -> AsyncGenerator[str | Done]:
        """Text that fits the schema, and so goes on after the opening of an assistant's message.

        A schema that cannot be enforced is replaced by any JSON object. Not a chat completion:
        those cannot continue a message under a schema.
        """
        enforced = schema if await self._can_enforce(schema) else guided(ANY_OBJECT)
        body = sampling | {"prompt": await self._prompt(messages, opening), "json_schema": enforced}
        async with aclosing(self._stream("/v1/completions", body)) as pieces:
            async for piece in pieces:
                yield piece

    async def continued(
        self, messages: list[Json], opening: str, end: str, sampling: Json
    ) -> AsyncGenerator[str | Done]:
        """Text that goes on after the opening of an assistant's message, up to where `end` is."""
        body = sampling | {"prompt": await self._prompt(messages, opening), "stop": [end]}
        async with aclosing(self._stream("/v1/completions", body)) as pieces:
            async for piece in pieces:
                yield piece

    async def _prompt(self, messages: list[Json], opening: str) -> str:
        request = {"messages": messages, "chat_template_kwargs": {"enable_thinking": False}}
        return str((await self._post("/apply-template", request))["prompt"]) + opening

    async def _can_enforce(self, schema: Json) -> bool:
        """Ask the server, once for each schema: it ignores those it cannot follow, silently.

        A word that begins no JSON object is made certain; only an enforced schema prevents it.
        """
        key = json.dumps(schema, sort_keys=True)
        if key not in self._enforceable:
            probe = {"prompt": "x", "max_tokens": 1, "temperature": 0, "json_schema": schema}
            try:
                answer = await self._post("/v1/completions", probe | {"logit_bias": [["the", 100]]})
            except ServerGoneError:
                raise
            except ModelError:
                return False
            self._enforceable[key] = answer["choices"][0]["text"] != "the"
        return self._enforceable[key]

    async def _stream(self, path: str, body: Json) -> AsyncGenerator[str | Done]:
        request = body | {"stream": True, "stream_options": {"include_usage": True}}
        truncated = False
        try:
            async with aconnect_sse(self._http, "POST", path, json=request) as events:
                await _raise_refusal(events.response)
                async for event in events.aiter_sse():
                    if event.data == "[DONE]":
                        return
                    chunk = json.loads(event.data)
                    if "error" in chunk:
                        raise _refusal(chunk["error"])
                    for choice in chunk["choices"]:
                        truncated = truncated or choice["finish_reason"] == "length"
                        if text := _text(choice):
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


def _text(choice: Json) -> str | None:
    text: str | None = choice["delta"].get("content") if "delta" in choice else choice["text"]
    return text


def _usage(counts: Json) -> Usage:
    details = counts.get("prompt_tokens_details") or {}
    return Usage(
        prompt=counts["prompt_tokens"],
        completion=counts["completion_tokens"],
        cached=details.get("cached_tokens", 0),
    )
