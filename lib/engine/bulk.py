"""Cancelling and deleting many runs at once."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from lib.engine.engine import Engine
from lib.engine.errors import RefusedError
from lib.engine.states import TERMINAL
from lib.store.database import Store
from lib.store.queries import delete_events
from lib.store.tables import RunRow

Outcome = tuple[list[str], dict[str, str]]
"""The ids of the runs that were changed, and by id why others were not."""


async def cancel_runs(engine: Engine, store: Store, run_ids: list[str]) -> Outcome:
    threads = await store.read(lambda session: _threads(session, run_ids))
    done: list[str] = []
    refused: dict[str, str] = {}
    for run_id in run_ids:
        if run_id not in threads:
            refused[run_id] = _gone(run_id)
            continue
        try:
            await engine.cancel_run(threads[run_id], run_id)
            done.append(run_id)
        except RefusedError as error:
            refused[run_id] = error.message
    return done, refused


async def delete_runs(_engine: Engine, store: Store, run_ids: list[str]) -> Outcome:
    """Delete runs that are over, with their steps, events and model calls; messages stay."""
    return await store.write(lambda session: _delete(session, run_ids))


def _delete(session: Session, run_ids: list[str]) -> Outcome:
    rows = {row.id: row for row in session.scalars(select(RunRow).where(RunRow.id.in_(run_ids)))}
    done: list[str] = []
    refused: dict[str, str] = {}
    for run_id in run_ids:
        row = rows.get(run_id)
        if row is None:
            refused[run_id] = _gone(run_id)
        elif row.status not in TERMINAL:
            refused[run_id] = f"Cannot delete run with status '{row.status}'. Cancel it first."
        else:
            delete_events(session, run_id)
            session.delete(row)
            done.append(run_id)
    return done, refused


def _threads(session: Session, run_ids: list[str]) -> dict[str, str]:
    query = select(RunRow.id, RunRow.thread_id).where(RunRow.id.in_(run_ids))
    return dict(session.execute(query).tuples().all())


def _gone(run_id: str) -> str:
    return f"No run found with id '{run_id}'."
