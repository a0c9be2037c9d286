"""All runs of the server, filtered, with what a list of them shows."""

from dataclasses import dataclass

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from lib.store.paging import PageRequest, read_page
from lib.store.tables import AssistantRow, RunRow, StepRow, ThreadRow


@dataclass(frozen=True, slots=True)
class RunFilter:
    """None or empty means any. Times are Unix seconds, both ends included."""

    assistant_id: str | None
    thread_id: str | None
    statuses: list[str]
    created_after: int | None
    created_before: int | None


@dataclass(frozen=True, slots=True)
class ListedRun:
    run: RunRow
    thread_title: str | None
    assistant_name: str | None
    step_count: int


def list_runs(
    session: Session, wanted: RunFilter, request: PageRequest
) -> tuple[list[ListedRun], bool]:
    page = read_page(session, RunRow, _matching(wanted), request)
    threads = {
        row.id: row
        for row in session.scalars(
            select(ThreadRow).where(ThreadRow.id.in_({run.thread_id for run in page.rows}))
        )
    }
    names = dict(
        session.execute(
            select(AssistantRow.id, AssistantRow.name).where(
                AssistantRow.id.in_({run.assistant_id for run in page.rows})
            )
        )
        .tuples()
        .all()
    )
    steps = _step_counts(session, [run.id for run in page.rows])
    listed = [
        ListedRun(
            run,
            title_of(threads[run.thread_id]),
            names.get(run.assistant_id),
            steps.get(run.id, 0),
        )
        for run in page.rows
    ]
    return listed, page.has_more


def title_of(thread: ThreadRow) -> str | None:
    """The title a person gave the thread, else the beginning of its first message."""
    return thread.metadata_.get("title") or thread.title


def _matching(wanted: RunFilter) -> Select[RunRow]:
    query = select(RunRow)
    if wanted.assistant_id:
        query = query.where(RunRow.assistant_id == wanted.assistant_id)
    if wanted.thread_id:
        query = query.where(RunRow.thread_id == wanted.thread_id)
    if wanted.statuses:
        query = query.where(RunRow.status.in_(wanted.statuses))
    if wanted.created_after is not None:
        query = query.where(RunRow.created_at >= wanted.created_after)
    if wanted.created_before is not None:
        query = query.where(RunRow.created_at <= wanted.created_before)
    return query


def _step_counts(session: Session, run_ids: list[str]) -> dict[str, int]:
    query = select(StepRow.run_id, func.count()).where(StepRow.run_id.in_(run_ids))
    return dict(session.execute(query.group_by(StepRow.run_id)).tuples().all())
