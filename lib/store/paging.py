"""Cursor pagination as every list of the API has it."""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import Session

from lib.store.tables import Row

R = TypeVar("R", bound=Row)


class UnknownCursorError(Exception):
    """`after` or `before` names an object that is not in the list."""

    def __init__(self, param: Literal["after", "before"], cursor: str) -> None:
        super().__init__(f"{param}: {cursor}")
        self.param: Literal["after", "before"] = param
        self.cursor = cursor


@dataclass(frozen=True, slots=True)
class PageRequest:
    limit: int = 20
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    rows: list[R]
    has_more: bool


def read_page(
    session: Session, row_type: type[R], query: Select[R], request: PageRequest
) -> Page[R]:
    """One page of the rows that `query` selects. Raises UnknownCursorError."""
    selected = query
    newest_first = request.order == "desc"
    if request.after is not None:
        edge = _position(session, row_type, selected, "after", request.after)
        query = query.where(row_type.position < edge if newest_first else row_type.position > edge)
    if request.before is not None:
        edge = _position(session, row_type, selected, "before", request.before)
        query = query.where(row_type.position > edge if newest_first else row_type.position < edge)
    # Going backwards (`before` alone) the page is the one next to the cursor, not the first.
    backwards = request.before is not None and request.after is None
    ascending = newest_first == backwards
    ordering = row_type.position.asc() if ascending else row_type.position.desc()
    rows = list(session.scalars(query.order_by(ordering).limit(request.limit + 1)))
    has_more = len(rows) > request.limit
    rows = rows[: request.limit]
    return Page(rows[::-1] if backwards else rows, has_more)


def _position(
    session: Session,
    row_type: type[R],
    query: Select[R],
    param: Literal["after", "before"],
    cursor: str,
) -> int:
    in_list = query.where(row_type.id == cursor)
    position: int | None = session.scalar(in_list.with_only_columns(row_type.position))
    if position is None:
        raise UnknownCursorError(param, cursor)
    return position
