"""What went wrong at a model endpoint, told in one sentence: what failed and what to do."""

import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from openai import APIStatusError

from lib.models.provider import ContextTooLongError, Json, ModelError, ModelRequest, UserTurn


@dataclass(frozen=True, slots=True)
class Feature:
    """Something a request may ask for that not every endpoint or model has."""

    name: str
    words: str
    """How endpoints call it when they refuse it: a regular expression."""
    cure: str
    is_used: Callable[[ModelRequest], bool]


def _has_images(request: ModelRequest) -> bool:
    turns = (turn for turn in request.turns if isinstance(turn, UserTurn))
    return any(not hasattr(part, "text") for turn in turns for part in turn.parts)


# In the order in which they are looked for: a refusal of tool_choice also says "tool".
FEATURES = (
    Feature(
        "parallel_tool_calls",
        r"parallel.tool",
        "Leave parallel_tool_calls at its default",
        lambda request: bool(request.tools),
    ),
    Feature(
        "tool_choice",
        r"tool.choice",
        "Set tool_choice to auto",
        lambda request: request.tool_choice != "auto",
    ),
    Feature(
        "tool calls",
        r"\btool|\bfunction",
        "Remove the assistant's tools",
        lambda request: bool(request.tools),
    ),
    Feature("images", r"image|vision|multi.?modal", "Remove the image", _has_images),
    Feature(
        "response_format",
        r"response.format|text\.format|json|structured|schema|grammar",
        "Set response_format to auto",
        lambda request: request.response_format not in (None, "auto", {"type": "text"}),
    ),
    Feature(
        "reasoning_effort",
        r"reasoning",
        "Leave reasoning_effort empty",
        lambda request: request.reasoning_effort is not None,
    ),
    Feature(
        "temperature",
        r"temperature",
        "Leave temperature at its default",
        lambda request: request.temperature is not None,
    ),
    Feature(
        "top_p", r"top_p", "Leave top_p at its default", lambda request: request.top_p is not None
    ),
    Feature(
        "a limit of output tokens",
        r"max_(completion_|output_)?tokens",
        "Remove max_completion_tokens from the run",
        lambda request: request.max_output_tokens is not None,
    ),
)

_REFUSAL = re.compile(
    r"unsupported|(not|n't) support|only support|unrecognized|unknown (parameter|argument|field)"
    r"|unexpected (keyword|field|argument|parameter)|extra.?(forbidden|inputs?|fields?)"
    r"|not permitted|not allowed|not available|not implemented|not enabled|requires? .{0,12}--"
    r"|missing data required|does not accept|cannot (use|accept)",
    re.IGNORECASE,
)

_TOO_LONG = re.compile(
    r"context.?(length|window|size)|maximum (context|sequence|prompt) length"
    r"|too many (input )?tokens"
    r"|(prompt|input|conversation|request) (is )?too (long|large)|reduce the length"
    r"|exceed.{0,40}(context|token limit|maximum number of tokens|max_model_len)"
    r"|longer than the model",
    re.IGNORECASE,
)

_NO_MODEL = re.compile(r"model", re.IGNORECASE)


class EndpointErrors:
    """Turns whatever an endpoint, the SDK or the network reports into a ModelError.

    No text that leaves here carries the key, also when the endpoint repeats it.
    """

    def __init__(self, address: str, secrets: list[str], timeout: float) -> None:
        self._address = address
        self._secrets = [secret for secret in secrets if len(secret) > 3]
        self._timeout = timeout

    def from_exception(self, error: Exception, request: ModelRequest | None = None) -> ModelError:
        if isinstance(error, APIStatusError):
            said = body_error(error.body) or {"message": error.response.text}
            return self.from_answer(error.status_code, said, request)
        return self._server_error(self._cannot_connect(_root_cause(error)))

    def from_answer(
        self, status: int, said: Json, request: ModelRequest | None = None
    ) -> ModelError:
        """The endpoint's own error object: an HTTP status and `{message, code, param, type}`."""
        code = str(said.get("code") or "")
        words = self.quote(str(said.get("message") or ""))
        kind = f"{code} {said.get('type') or ''} {said.get('param') or ''}"
        if status == 429 or code in ("rate_limit_exceeded", "insufficient_quota"):
            return self._rate_limited(code, kind, words)
        if status == 402:
            return self._rate_limited("insufficient_quota", kind, words)
        if status in (401, 403):
            return self._server_error(
                f"The model endpoint at {self._address} refused the key ({status}). "
                "Check MODEL_API_KEY."
            )
        if "context_length_exceeded" in code or _TOO_LONG.search(f"{words} {kind}"):
            return ContextTooLongError(
                f"The conversation is too long for the model{self._quoted(words)}. Shorten it, "
                "use truncation_strategy, or choose a model with a larger context window."
            )
        if request and (feature := refused_feature(f"{kind} {words}", request)):
            return ModelError(
                "invalid_prompt",
                f"The model {request.model} at {self._address} does not support {feature.name}"
                f"{self._quoted(words)}. {feature.cure}, or choose another model.",
            )
        return self._by_status(status, code, words, request)

    def from_failure(self, said: Json, request: ModelRequest) -> ModelError:
        """An error object that came inside a stream, where no HTTP status tells its kind."""
        code = said.get("code")
        if isinstance(code, int) and code >= 400:
            return self.from_answer(code, said, request)
        is_invalid = "invalid" in f"{code} {said.get('type')}"
        return self.from_answer(400 if is_invalid else 500, said, request)

    def timed_out(self) -> ModelError:
        return self._server_error(
            f"The model endpoint at {self._address} did not answer within {self._timeout:g} "
            "seconds. Check that it is not overloaded, or raise MODEL_TIMEOUT."
        )

    def fell_silent(self) -> ModelError:
        return self._server_error(
            f"The model endpoint at {self._address} fell silent for {self._timeout:g} seconds in "
            "the middle of its answer. Run again, or raise MODEL_TIMEOUT."
        )

    def broken_off(self) -> ModelError:
        return self._server_error(
            f"The model endpoint at {self._address} broke off in the middle of its answer. "
            "Run again; if it happens often, look at the endpoint's log."
        )

    def not_understood(self, what: str) -> ModelError:
        return self._server_error(
            f"The model endpoint at {self._address} sent an answer that cannot be read ({what}). "
            "Check that MODEL_BASE_URL is the address of an OpenAI-compatible API."
        )

    def malformed(self) -> ModelError:
        return self.not_understood("an event lacks what it must have")

    def quote(self, text: str) -> str:
        """The endpoint's words on one line, short, without secrets and the final full stop."""
        for secret in self._secrets:
            text = text.replace(secret, "[key]")
        line = " ".join(text.split())
        return line[:300].rstrip(". ") + ("…" if len(line) > 300 else "")

    def _by_status(
        self, status: int, code: str, words: str, request: ModelRequest | None
    ) -> ModelError:
        if status == 404 and request and (code == "model_not_found" or _NO_MODEL.search(words)):
            return self._server_error(
                f"The model endpoint at {self._address} does not know the model {request.model}. "
                "Choose one that it lists, or set MODEL or MODEL_MAP."
            )
        if status in (404, 405):
            return self._server_error(
                f"The model endpoint at {self._address} does not have this API ({status}). "
                "Check MODEL_BASE_URL (it usually ends in /v1) and MODEL_API."
            )
        if 400 <= status < 500:
            return ModelError(
                "invalid_prompt",
                f"The model endpoint at {self._address} rejected the request ({status})"
                f"{self._quoted(words)}. Change the message or the assistant and run again.",
            )
        return self._server_error(
            f"The model endpoint at {self._address} failed ({status}){self._quoted(words)}. "
            "Run again later; if it stays so, look at the endpoint's log."
        )

    def _rate_limited(self, code: str, kind: str, words: str) -> ModelError:
        advice = "Wait a little and run again."
        if code == "insufficient_quota" or "quota" in f"{kind} {words}".lower():
            advice = "The account's quota is used up: check its plan and billing."
        return ModelError(
            "rate_limit_exceeded",
            f"The model endpoint at {self._address} refused the request because of a limit"
            f"{self._quoted(words)}. {advice}",
        )

    def _cannot_connect(self, cause: BaseException) -> str:
        unreachable = f"The model endpoint at {self._address} cannot be reached"
        match cause:
            case socket.gaierror() | aiohttp.ClientConnectorDNSError():
                return f"{unreachable}: its host name is not known. Check MODEL_BASE_URL."
            case TimeoutError():
                return (
                    f"{unreachable}: connecting took too long. "
                    "Check MODEL_BASE_URL and that the server is running."
                )
            case ssl.SSLError():
                return (
                    f"{unreachable} securely{self._quoted(self.quote(str(cause)))}. "
                    "Check its certificate, and whether MODEL_BASE_URL should begin with http:."
                )
            case aiohttp.ClientConnectorError() | ConnectionRefusedError():
                return (
                    f"{unreachable}: it refuses connections. "
                    "Check MODEL_BASE_URL and that the server is running."
                )
            case OSError() if cause.errno:
                return f"{unreachable}: {cause.strerror}. Check MODEL_BASE_URL."
        return (
            f"The model endpoint at {self._address} closed the connection before it answered. "
            "Check that the server is running, and run again."
        )

    def _server_error(self, text: str) -> ModelError:
        return ModelError("server_error", text)

    def _quoted(self, words: str) -> str:
        return f": “{words}”" if words else ""


def _root_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def body_error(body: object) -> Json | None:
    """The error object of an error body, whichever of the usual shapes it has; else None."""
    if not isinstance(body, dict):
        return None
    error = body.get("error", body)
    if isinstance(error, dict):
        if "message" in error:
            return error
        if "detail" in error:
            return {"message": str(error["detail"])}
        return {"message": str(error)}
    return {"message": str(error)}


def refused_feature(words: str, request: ModelRequest) -> Feature | None:
    """The feature of the request that these words of an endpoint refuse."""
    if not _REFUSAL.search(words):
        return None
    used = (feature for feature in FEATURES if feature.is_used(request))
    return next(
        (feature for feature in used if re.search(feature.words, words, re.IGNORECASE)), None
    )


def refused_parameter(error: APIStatusError, candidates: frozenset[str]) -> str | None:
    """Which of the parameters an endpoint refuses with this error; None for any other error."""
    if error.status_code not in (400, 415, 422, 500, 501):
        return None
    said = body_error(error.body) or {"message": error.response.text}
    words = f"{said.get('code') or ''} {said.get('type') or ''} {said.get('message') or ''}"
    if not _REFUSAL.search(words):
        return None
    if (named := said.get("param")) and isinstance(named, str):
        return next((name for name in candidates if named.split(".")[0] == name), None)
    return next((name for name in candidates if re.search(rf"\b{name}\b", words)), None)
