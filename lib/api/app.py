"""The API as an ASGI application, to be mounted at `/v1`."""

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.api import (
    assistants,
    drafts,
    errors,
    file_quotes,
    files,
    functions,
    health,
    inspection,
    messages,
    models,
    prompt_batches,
    run_statistics,
    runs,
    steps,
    threads,
    transfer,
    vector_store_files,
    vector_stores,
)
from lib.api.body_limit import BodyLimit
from lib.api.keys import Keys
from lib.studio import VERSION


def create_api() -> FastAPI:
    """The API. `app.state.studio` must be set before the first request is answered."""
    app = FastAPIOffline(
        title="Assistants Studio",
        version=VERSION,
        summary="The Assistants API v2 on your own machine. What we added is under Extensions.",
        redirect_slashes=False,
        strict_content_type=False,
    )
    errors.install(app)
    # Fixed paths such as /threads/runs before those that take any id in their place.
    for resource in (
        models,
        assistants,
        transfer,
        run_statistics,
        prompt_batches,
        runs,
        drafts,
        inspection,
        steps,
        messages,
        threads,
        files,
        file_quotes,
        functions,
        vector_store_files,
        vector_stores,
        health,
    ):
        app.include_router(resource.router)
    app.add_middleware(TrailingSlashes)
    app.add_middleware(BodyLimit)
    app.add_middleware(Keys)
    return app


class TrailingSlashes:
    """Old clients write `/assistants/`; the hosted API answered as without the slash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/"):
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
        await self._app(scope, receive, send)
