"""What many runs come to together: how many, how long, how many tokens, what they cost."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, case, func, select
from sqlalchemy.orm import Session

from lib.store.run_queries import (
    ANSWERED_BY,
    TOTAL_TOKENS,
    RunFilter,
    assistant_names,
    conditions,
    title_of,
)
from lib.store.tables import RunRow, ThreadRow

GroupedBy = Literal["day", "assistant", "thread", "model"]

FAILURES = ("failed", "expired")
_DAY = 24 * 3600

WORKED = RunRow.duration_ms - RunRow.waited_ms
"""Milliseconds that the run took, not counting the wait for people."""


@dataclass(slots=True)
class RunFigures:
    """Figures of some runs. `key` says which: a day (Unix seconds of its start), an id, a name."""

    key: str | int | None = None
    label: str | None = None
    runs: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cost: float = 0.0
    """US dollars of the runs whose price is known."""
    runs_without_price: int = 0
    waited_ms: int = 0
    p50_ms: int | None = None
    """Half of the completed runs took at most this long, not counting the wait for people."""
    p95_ms: int | None = None


def total_of(session: Session, wanted: RunFilter) -> RunFigures:
    """The figures of all runs that the filter lets through."""
    where = conditions(wanted)
    total = RunFigures()
    for row in session.execute(_sums(where).group_by(RunRow.status)):
        status, count, *sums = row.tuple()
        total.runs += count
        total.by_status[status] = count
        _add(total, sums)
    worked = select(WORKED).where(*where, RunRow.status == "completed").order_by(WORKED)
    count = total.by_status.get("completed", 0)
    if count:
        total.p50_ms = session.scalar(worked.offset((count - 1) // 2).limit(1))
        total.p95_ms = session.scalar(worked.offset((count * 95 - 1) // 100).limit(1))
    return total


def figures_by(
    session: Session, wanted: RunFilter, by: GroupedBy, utc_offset: int, limit: int
) -> list[RunFigures]:
    """Days in order, each beginning `utc_offset` seconds off UTC; of others the most used."""
    if by == "day":
        first_to_last = _figures(session, wanted, _day(utc_offset))
        return sorted(first_to_last, key=lambda one: int(one.key or 0))[-limit:]
    keys: dict[str, ColumnElement[Any]] = {
        "assistant": RunRow.assistant_id.expression,
        "thread": RunRow.thread_id.expression,
        "model": ANSWERED_BY,
    }
    key = keys[by]
    most_used = (
        select(key)
        .where(*conditions(wanted))
        .group_by(key)
        .order_by(func.coalesce(func.sum(TOTAL_TOKENS), 0).desc(), func.count().desc())
        .limit(limit)
    )
    order = {key: place for place, key in enumerate(session.scalars(most_used))}
    found = _figures(session, wanted, key, key.in_(list(order)))
    _label(session, by, found)
    return sorted(found, key=lambda one: order[one.key])


def _day(utc_offset: int) -> ColumnElement[Any]:
    since = RunRow.created_at + utc_offset
    return since - since % _DAY - utc_offset


def _figures(
    session: Session, wanted: RunFilter, key: ColumnElement[Any], *more: ColumnElement[bool]
) -> list[RunFigures]:
    where = [*conditions(wanted), *more]
    groups: dict[Any, RunFigures] = {}
    sums_by_key = _sums(where).add_columns(key.label("key")).group_by("key", RunRow.status)
    for row in session.execute(sums_by_key):
        status, count, *sums, group_key = row.tuple()
        group = groups.setdefault(group_key, RunFigures(group_key))
        group.runs += count
        group.by_status[status] = count
        _add(group, sums)
    for group_key, p50, p95 in _percentiles(session, key, where):
        groups[group_key].p50_ms, groups[group_key].p95_ms = p50, p95
    return list(groups.values())


def _sums(where: list[ColumnElement[bool]]) -> "Select[*tuple[Any, ...]]":
    has_no_price = and_(RunRow.cost.is_(None), RunRow.prompt_tokens + RunRow.completion_tokens > 0)
    return select(
        RunRow.status,
        func.count(),
        func.sum(RunRow.prompt_tokens),
        func.sum(RunRow.cached_tokens),
        func.sum(RunRow.completion_tokens),
        func.sum(RunRow.reasoning_tokens),
        func.sum(RunRow.cost),
        func.sum(case((has_no_price, 1), else_=0)),
        func.sum(RunRow.waited_ms),
    ).where(*where)


def _add(group: RunFigures, sums: Sequence[Any]) -> None:
    prompt, cached, completion, reasoning, cost, without_price, waited = (s or 0 for s in sums)
    group.prompt_tokens += prompt
    group.cached_tokens += cached
    group.completion_tokens += completion
    group.reasoning_tokens += reasoning
    group.cost += cost
    group.runs_without_price += without_price
    group.waited_ms += waited


def _percentiles(
    session: Session, key: ColumnElement[Any], where: list[ColumnElement[bool]]
) -> list[tuple[Any, int, int]]:
    ranked = (
        select(
            key.label("key"),
            WORKED.label("ms"),
            func.row_number().over(partition_by=key, order_by=WORKED).label("rank"),
            func.count().over(partition_by=key).label("n"),
        )
        .where(*where, RunRow.status == "completed", RunRow.duration_ms.is_not(None))
        .subquery()
    )
    return [
        row.tuple()
        for row in session.execute(
            select(
                ranked.c.key,
                func.max(ranked.c.ms).filter(ranked.c.rank * 2 <= ranked.c.n + 1),
                func.max(ranked.c.ms).filter(ranked.c.rank * 100 <= ranked.c.n * 95 + 99),
            ).group_by(ranked.c.key)
        )
    ]


def _label(session: Session, by: GroupedBy, groups: list[RunFigures]) -> None:
    keys = {str(group.key) for group in groups}
    labels: dict[str, str | None] = {}
    if by == "assistant":
        labels = assistant_names(session, keys)
    if by == "thread":
        rows = session.scalars(select(ThreadRow).where(ThreadRow.id.in_(keys)))
        labels = {row.id: title_of(row) for row in rows}
    for group in groups:
        group.label = labels.get(str(group.key))
