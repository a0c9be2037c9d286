"""What handlers need of the running server, and who may call them.

All are coroutines: FastAPI would hand each plain function to a thread, on every request.
"""

import hmac
from typing import Annotated

from fastapi import Depends, Request

from lib.api.errors import ApiError
from lib.engine.engine import Engine
from lib.store.database import Store
from lib.studio import Studio


async def studio_of(request: Request) -> Studio:
    studio: Studio | None = getattr(request.app.state, "studio", None)
    if studio is None:
        raise ApiError(503, "The server is still starting. Try again in a moment.", code="starting")
    return studio


async def engine_of(studio: Annotated[Studio, Depends(studio_of)]) -> Engine:
    return studio.engine


async def store_of(studio: Annotated[Studio, Depends(studio_of)]) -> Store:
    return studio.store


StudioDep = Annotated[Studio, Depends(studio_of)]
EngineDep = Annotated[Engine, Depends(engine_of)]
StoreDep = Annotated[Store, Depends(store_of)]


async def check_key(request: Request, studio: StudioDep) -> None:
    """Refuse a request without one of the API_KEYS, where any are set."""
    accepted = studio.settings.accepted_keys
    if not accepted:
        return
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    given = key.strip().encode() if scheme.lower() == "bearer" else b""
    if not any(hmac.compare_digest(given, key.encode()) for key in accepted):
        raise ApiError(
            401,
            "Incorrect API key provided. Use one of the keys in this server's API_KEYS.",
            code="invalid_api_key",
        )
