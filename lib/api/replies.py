"""Answers: one object, a list of them, a deletion."""

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Depends, Query, Response

from lib.store.objects import to_json
from lib.store.paging import Page, PageRequest
from lib.store.tables import Row

R = TypeVar("R", bound=Row)

Order = Annotated[Literal["asc", "desc"], Query()]


def json_reply(text: str) -> Response:
    return Response(text, media_type="application/json")


def object_reply(row: Row) -> Response:
    return json_reply(to_json(row))


def list_reply(page: Page[R], to_text: Callable[[R], str] = to_json) -> Response:
    return texts_reply([row.id for row in page.rows], map(to_text, page.rows), page.has_more)


def texts_reply(ids: Sequence[str], texts: Any, has_more: bool) -> Response:
    """A list's envelope around objects that are JSON text already."""
    edges = {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None}
    tail = json.dumps({**edges, "has_more": has_more})
    return json_reply('{"object":"list","data":[' + ",".join(texts) + "]," + tail[1:])


def deleted_reply(object_id: str, kind: str) -> Response:
    return json_reply(json.dumps({"id": object_id, "object": f"{kind}.deleted", "deleted": True}))


async def page_request(
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Order = "desc",
    after: Annotated[str | None, Query()] = None,
    before: Annotated[str | None, Query()] = None,
) -> PageRequest:
    return PageRequest(limit, order, after or None, before or None)


Paging = Annotated[PageRequest, Depends(page_request)]
