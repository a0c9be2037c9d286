"""Who may call the API, where API_KEYS is set."""

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.api.errors import answer, envelope
from lib.studio import Studio

_DOCS = ("/docs", "/openapi.json")
_DOCS_PARTS = "/static-offline-docs/"
"""What the API is like may be read by all: browsers cannot send a key for it."""


class Keys:
    """Refuses a request without one of the API_KEYS before anything of its body is read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _may_pass(scope):
            text = "Incorrect API key provided. Use one of the keys in this server's API_KEYS."
            refusal = answer(401, envelope(text, code="invalid_api_key"))
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _may_pass(scope: Scope) -> bool:
    studio: Studio | None = getattr(scope["app"].state, "studio", None)
    accepted = studio.settings.accepted_keys if studio else []
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    if not accepted or path in _DOCS or path.startswith(_DOCS_PARTS):
        return True
    scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
    given = key.strip().encode() if scheme.lower() == "bearer" else b""
    return any(hmac.compare_digest(given, key.encode()) for key in accepted)
