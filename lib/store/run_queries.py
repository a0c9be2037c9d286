"""All runs of the server: filtered, sorted, paged, and summed up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from lib.store.paging import Page, PageRequest, UnknownCursorError, read_page
from lib.store.tables import AssistantRow, RunRow, StepRow, ThreadRow

RunSort = Literal["created_at", "duration", "waiting", "steps", "tokens", "cost"]

ANSWERED_BY = func.coalesce(RunRow.answered_by, RunRow.model)
TOTAL_TOKENS = RunRow.prompt_tokens + RunRow.completion_tokens
_SORTED_BY: dict[str, ColumnElement[Any]] = {
    "duration": RunRow.duration_ms.expression,
    "waiting": RunRow.waited_ms.expression,
    "steps": RunRow.step_count.expression,
    "tokens": TOTAL_TOKENS,
    "cost": RunRow.cost.expression,
}


@dataclass(frozen=True, slots=True)
class RunFilter:
    """None or empty means any. Times are Unix seconds, both ends included."""

    assistant_id: str | None = None
    thread_id: str | None = None
    statuses: Sequence[str] = ()
    created_after: int | None = None
    created_before: int | None = None
    model: str | None = None
    """The model that answered; of runs that nothing answered, the one asked for."""
    text: str | None = None
    """Stands in the thread's title or first message or in the error, or is the run's id."""


@dataclass(frozen=True, slots=True)
class ListedRun:
    run: RunRow
    thread_title: str | None
    assistant_name: str | None
    step_count: int


def list_runs(
    session: Session, wanted: RunFilter, request: PageRequest, sort: RunSort = "created_at"
) -> tuple[list[ListedRun], bool]:
    page = _page(session, wanted, request, sort)
    return with_names(session, page.rows), page.has_more


def with_names(session: Session, runs: Sequence[RunRow]) -> list[ListedRun]:
    threads = {
        row.id: row
        for row in session.scalars(
            select(ThreadRow).where(ThreadRow.id.in_({run.thread_id for run in runs}))
        )
    }
    names = assistant_names(session, {run.assistant_id for run in runs})
    steps = _step_counts(session, [run.id for run in runs if run.step_count is None])
    return [
        ListedRun(
            run,
            title_of(threads[run.thread_id]),
            names.get(run.assistant_id),
            run.step_count if run.step_count is not None else steps.get(run.id, 0),
        )
        for run in runs
    ]


def models_that_answered(session: Session) -> list[str]:
    """Names by which `RunFilter.model` finds runs, in order."""
    return list(session.scalars(select(ANSWERED_BY).distinct().order_by(ANSWERED_BY)))


def assistant_names(session: Session, assistant_ids: set[str]) -> dict[str, str | None]:
    query = select(AssistantRow.id, AssistantRow.name).where(AssistantRow.id.in_(assistant_ids))
    return dict(session.execute(query).tuples().all())


def title_of(thread: ThreadRow) -> str | None:
    """The title a person gave the thread, else the beginning of its first message."""
    return thread.metadata_.get("title") or thread.title


def conditions(wanted: RunFilter) -> list[ColumnElement[bool]]:
    """What a run must fulfil to be let through."""
    found: list[ColumnElement[bool]] = []
    if wanted.assistant_id:
        found.append(RunRow.assistant_id == wanted.assistant_id)
    if wanted.thread_id:
        found.append(RunRow.thread_id == wanted.thread_id)
    if wanted.statuses:
        found.append(RunRow.status.in_(wanted.statuses))
    if wanted.created_after is not None:
        found.append(RunRow.created_at >= wanted.created_after)
    if wanted.created_before is not None:
        found.append(RunRow.created_at <= wanted.created_before)
    if wanted.model:
        found.append(ANSWERED_BY.is_not_distinct_from(wanted.model))
    if wanted.text and wanted.text.strip():
        found.append(_mentions(wanted.text.strip()))
    return found


def _mentions(text: str) -> ColumnElement[bool]:
    own_title = ThreadRow.metadata_["title"].as_string()
    titled = select(ThreadRow.id).where(
        or_(
            ThreadRow.title.contains(text, autoescape=True),
            # Few threads have metadata; looking into every one takes as long as all the rest.
            and_(
                ThreadRow.metadata_.is_distinct_from({}), own_title.contains(text, autoescape=True)
            ),
        )
    )
    failed = select(RunRow.position).where(
        RunRow.status == "failed",
        RunRow.last_error["message"].as_string().contains(text, autoescape=True),
    )
    return or_(
        RunRow.thread_id.in_(titled),
        RunRow.position.in_(failed),
        RunRow.position.in_(select(RunRow.position).where(RunRow.id == text)),
    )


def _page(session: Session, wanted: RunFilter, request: PageRequest, sort: RunSort) -> Page[RunRow]:
    found = conditions(wanted)
    if sort == "created_at" and not (wanted.text or wanted.model):
        return read_page(session, RunRow, select(RunRow).where(*found), request)
    by = _SORTED_BY.get(sort)
    newest_first = request.order == "desc"
    for param, cursor in (("after", request.after), ("before", request.before)):
        if cursor is not None:
            goes_down = newest_first == (param == "after")
            found.append(_beyond(session, param, cursor, by, goes_down))  # type: ignore[arg-type]
    backwards = request.before is not None and request.after is None
    ascending = newest_first == backwards
    keys = [RunRow.position] if by is None else [by, RunRow.position]
    # Chosen by what an index holds; whole rows are read of the few that are shown.
    chosen = select(RunRow.position).where(*found)
    chosen = chosen.order_by(*(key.asc() if ascending else key.desc() for key in keys))
    positions = list(session.scalars(chosen.limit(request.limit + 1)))
    has_more = len(positions) > request.limit
    positions = positions[: request.limit]
    by_position = {
        run.position: run
        for run in session.scalars(select(RunRow).where(RunRow.position.in_(positions)))
    }
    rows = [by_position[position] for position in positions]
    return Page(rows[::-1] if backwards else rows, has_more)


def _beyond(
    session: Session,
    param: Literal["after", "before"],
    cursor: str,
    by: ColumnElement[Any] | None,
    goes_down: bool,
) -> ColumnElement[bool]:
    """Runs on the far side of the cursor. Without a value they come after all others going down."""
    value = RunRow.position if by is None else by
    edge = session.execute(select(RunRow.position, value).where(RunRow.id == cursor)).one_or_none()
    if edge is None:
        raise UnknownCursorError(param, cursor)
    position, at = edge.tuple()
    tie: ColumnElement[bool]
    tie = RunRow.position < position if goes_down else RunRow.position > position
    if by is None:
        return tie
    if at is None:
        unknown = and_(by.is_(None), tie)
        return unknown if goes_down else or_(unknown, by.is_not(None))
    beyond = or_(by < at if goes_down else by > at, and_(by == at, tie))
    return or_(beyond, by.is_(None)) if goes_down else beyond


def _step_counts(session: Session, run_ids: list[str]) -> dict[str, int]:
    if not run_ids:
        return {}
    query = select(StepRow.run_id, func.count()).where(StepRow.run_id.in_(run_ids))
    return dict(session.execute(query.group_by(StepRow.run_id)).tuples().all())
