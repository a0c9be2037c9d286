"""Every error as OpenAI's envelope: `{"error": {"message", "type", "param", "code"}}`."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from lib.engine.errors import RefusedError
from lib.models.provider import ModelError
from lib.store.database import StorageError
from lib.store.paging import UnknownCursorError
from lib.store.queries import NotFoundError
from lib.tools.file_search.index.protocol import IndexUnavailableError

logger = logging.getLogger(__name__)

TOO_LARGE_CODE = "file_too_large"
_INVALID = "invalid_request_error"
_FORM = "multipart/form-data"
_NOT_JSON = (
    "We could not parse the JSON body of your request. The API expects a JSON payload, but what "
    "was sent is not valid JSON."
)


class ApiError(Exception):
    """An error that a handler itself finds. `type` is OpenAI's error type."""

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        type_: str = _INVALID,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = envelope(message, param, code, type_)


def envelope(
    message: str, param: str | None = None, code: str | None = None, type_: str = _INVALID
) -> dict[str, Any]:
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}


def answer(
    status: int, body: dict[str, Any], headers: dict[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(body, status, headers)


def install(app: FastAPI) -> None:
    """Answer every kind of error that handlers, the engine or the store raise."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(NotFoundError, _not_found)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(UnknownCursorError, _unknown_cursor)
    app.add_exception_handler(StorageError, _storage_error)
    app.add_exception_handler(IndexUnavailableError, _storage_error)
    app.add_exception_handler(ModelError, _model_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _internal_error)


async def _api_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return answer(error.status, error.body)


async def _not_found(_request: Request, error: Exception) -> JSONResponse:
    return answer(404, envelope(str(error)))


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusedError)
    return answer(400, envelope(error.message, error.param, error.code))


async def _unknown_cursor(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UnknownCursorError)
    message = f"Invalid '{error.param}': no object with id '{error.cursor}' is in this list."
    return answer(400, envelope(message, error.param, "invalid_value"))


async def _storage_error(_request: Request, error: Exception) -> JSONResponse:
    logger.error("%s", error)
    return answer(500, envelope(str(error), code="storage_error", type_="server_error"))


async def _model_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ModelError)
    return answer(502, envelope(error.message, code=error.code, type_="server_error"))


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    where = f"{request.method} {request.url.path}"
    if error.status_code == 404:
        return answer(404, envelope(f"Invalid URL ({where})", code="unknown_url"))
    if error.status_code == 405:
        message = f"Not allowed to {request.method} on {request.url.path}."
        allowed = dict(error.headers or {})
        return answer(405, envelope(message, code="method_not_supported"), allowed)
    if error.status_code == 413:
        return answer(413, envelope(str(error.detail), code=TOO_LARGE_CODE))
    if error.status_code == 400 and request.headers.get("content-type", "").startswith(_FORM):
        return answer(400, envelope(str(error.detail)))
    if error.status_code == 400:
        # What FastAPI says when reading JSON fails in another way than by its syntax.
        return answer(400, envelope(_NOT_JSON))
    return answer(error.status_code, envelope(str(error.detail)))


async def _internal_error(request: Request, error: Exception) -> JSONResponse:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    message = "The server had an error while processing your request; its console says more."
    return answer(500, envelope(message, type_="server_error"))


async def _validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return answer(400, _explain(error.errors()[0], error.body))


def _explain(problem: dict[str, Any], body: Any) -> dict[str, Any]:
    """One validation problem in the words and codes that OpenAI uses."""
    if problem["type"] == "json_invalid" or isinstance(body, bytes):
        return envelope(_NOT_JSON)
    param = _param(problem["loc"], body, is_missing=problem["type"] == "missing")
    if not param and problem["type"] == "value_error":
        return envelope(f"Invalid body: {problem['ctx']['error']}", code="invalid_value")
    if not param:
        sent = "nothing" if body is None else _kind(body)
        return envelope(f"The body must be a JSON object, but {sent} was sent.")
    if problem["type"].startswith("union_tag"):
        param += ".type"
    message, code = _words(problem, param)
    return envelope(message, param or None, code)


def _words(problem: dict[str, Any], param: str) -> tuple[str, str]:
    given = problem.get("input")
    context = problem.get("ctx", {})
    match problem["type"]:
        case "missing" | "union_tag_not_found":
            return f"Missing required parameter: '{param}'.", "missing_required_parameter"
        case "string_too_long" | "string_too_short":
            return _length(param, "string", given, context)
        case "too_long" | "too_short":
            return _length(param, _plural(given), given, context)
        case "less_than_equal" | "greater_than_equal":
            return _bound(param, given, context)
        case "literal_error" | "union_tag_invalid" | "enum":
            expected = str(context.get("expected") or context.get("expected_tags"))
            value = context.get("tag", given)
            return (
                f"Invalid value: '{value}'. Supported values are: {expected}.",
                "invalid_value",
            )
        case "string_pattern_mismatch":
            return (
                f"Invalid '{param}': string does not match pattern. Expected a string that "
                f"matches the pattern '{context['pattern']}'.",
                "invalid_value",
            )
        case "value_error":
            return f"Invalid '{param}': {context['error']}", "invalid_value"
        case "string_unicode":
            return f"Invalid '{param}': the text is not valid Unicode.", "invalid_value"
        case kind if kind.endswith(("_type", "_parsing")):
            expected = _EXPECTED.get(kind.rsplit("_", 1)[0], "another type")
            return (
                f"Invalid type for '{param}': expected {expected}, but got {_kind(given)} instead.",
                "invalid_type",
            )
    return f"Invalid '{param}': {problem['msg']}.", "invalid_value"


def _length(param: str, noun: str, given: Any, context: dict[str, Any]) -> tuple[str, str]:
    is_long = "max_length" in context
    limit = context["max_length"] if is_long else context["min_length"]
    return (
        f"Invalid '{param}': {noun} too {'long' if is_long else 'short'}. Expected {_a(noun)} with "
        f"{'maximum' if is_long else 'minimum'} length {limit}, but got {_a(noun)} with length "
        f"{len(given)} instead.",
        f"{noun}_{'above_max' if is_long else 'below_min'}_length",
    )


def _bound(param: str, given: Any, context: dict[str, Any]) -> tuple[str, str]:
    is_high = "le" in context
    limit = context["le"] if is_high else context["ge"]
    noun = "integer" if isinstance(limit, int) else "decimal"
    return (
        f"Invalid '{param}': {noun} {'above maximum' if is_high else 'below minimum'} value. "
        f"Expected a value {'<=' if is_high else '>='} {limit}, but got {given} instead.",
        f"{noun}_{'above_max' if is_high else 'below_min'}_value",
    )


_EXPECTED = {
    "string": "a string",
    "int": "an integer",
    "float": "a decimal",
    "bool": "a boolean",
    "list": "an array",
    "dict": "an object",
    "model": "an object",
    "model_attributes": "an object",
}


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int():
            return "an integer"
        case float():
            return "a decimal"
        case list():
            return "an array"
    return "an object"


def _plural(value: Any) -> str:
    return "object" if isinstance(value, Mapping) else "array"


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _param(loc: tuple[str | int, ...], body: Any, is_missing: bool) -> str:
    """The path of a field as clients write it: `tools[0].function.name`.

    Pydantic also names the union member it tried; those names are not in the body and are left out.
    """
    path = ""
    value = body
    for index, part in enumerate(loc[1:]):
        is_wanted = is_missing and index == len(loc) - 2
        if isinstance(part, int):
            path += f"[{part}]"
            value = value[part] if isinstance(value, list) and part < len(value) else None
        elif loc[0] != "body" or (isinstance(value, Mapping) and (part in value or is_wanted)):
            path += f".{part}" if path else part
            value = value.get(part) if isinstance(value, Mapping) else None
    return path
