"""What handlers need of the running server.

All are coroutines: FastAPI would hand each plain function to a thread, on every request.
"""

from typing import Annotated, Literal

from fastapi import Depends, Query, Request

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


async def with_result_content(
    include: Annotated[
        list[Literal["step_details.tool_calls[*].file_search.results[*].content"]] | None,
        Query(alias="include[]"),
    ] = None,
) -> bool:
    """Whether the text of file_search's results is asked for."""
    return bool(include)


WithResultContent = Annotated[bool, Depends(with_result_content)]
StudioDep = Annotated[Studio, Depends(studio_of)]
EngineDep = Annotated[Engine, Depends(engine_of)]
StoreDep = Annotated[Store, Depends(store_of)]
