"""How much a request may send: what is more is refused before it is kept anywhere."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lib.api.errors import TOO_LARGE_CODE, answer, envelope

MAX_FILE_BYTES = 512 * 1024 * 1024
_FORM_BYTES = 1024 * 1024
"""What a form holds around a file of the largest size."""
_MAX_BYTES = MAX_FILE_BYTES + _FORM_BYTES
_TOO_LARGE = (
    "The request's body is too large: a file may have at most "
    f"{MAX_FILE_BYTES:,} bytes ({MAX_FILE_BYTES // 1024**2} MB)."
)


class BodyLimit:
    """Answers 413 to a body that tells a size above any file's, or that grows beyond it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _told_size(scope) > _MAX_BYTES:
            await answer(413, envelope(_TOO_LARGE, code=TOO_LARGE_CODE))(scope, receive, send)
        else:
            await self._app(scope, _counted(receive), send)


def _told_size(scope: Scope) -> int:
    told = Headers(scope=scope).get("content-length", "")
    return int(told) if told.isdecimal() else 0


def _counted(receive: Receive) -> Receive:
    size = 0

    async def receive_within_limit() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > _MAX_BYTES:
            # FastAPI lets no other exception through while it reads a body.
            raise HTTPException(413, _TOO_LARGE)
        return message

    return receive_within_limit
