"""The filters that every resource about many runs takes, as query parameters."""

from typing import Annotated

from fastapi import Depends, Query

from lib.store.run_queries import RunFilter

MAX_INTEGER = 2**63 - 1
"""The largest the database can hold."""

Time = Annotated[int, Query(ge=0, le=MAX_INTEGER)]
Text = Annotated[str, Query(max_length=200)]


async def run_filter(
    assistant_id: Annotated[str | None, Query()] = None,
    thread_id: Annotated[str | None, Query()] = None,
    status: Annotated[list[str] | None, Query()] = None,
    created_after: Time | None = None,
    created_before: Time | None = None,
    model: Annotated[str | None, Query(description="The model that answered.")] = None,
    text: Annotated[
        Text | None, Query(description="In the thread's title, its first message or the error.")
    ] = None,
) -> RunFilter:
    return RunFilter(
        assistant_id, thread_id, status or (), created_after, created_before, model, text
    )


Filters = Annotated[RunFilter, Depends(run_filter)]
