"""One function a transition: each checks the state found, writes the row and tells the event.

They are units of work for `EventLog.write`. A worker's own transitions carry its attempt number:
when another worker has claimed the run since, or somebody cancelled it, they raise RunLostError.
"""

from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from lib.engine.clock import now
from lib.engine.errors import RefusedError, RunLostError
from lib.engine.events import EventSink
from lib.engine.messages import release_queued_messages
from lib.engine.states import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    EXPIRED,
    FAILED,
    IN_PROGRESS,
    INCOMPLETE,
    QUEUED,
    REQUIRES_ACTION,
    states_that_lead_to,
)
from lib.store.queries import delete_events, find
from lib.store.tables import Json, MessageRow, RunRow, StepRow

_LOCKED_RUN = select(RunRow).where(RunRow.id == bindparam("id")).with_for_update()
_FENCE = select(RunRow.status, RunRow.attempt).where(RunRow.id == bindparam("id")).with_for_update()


def claim(session: Session, events: EventSink, run_id: str) -> RunRow:
    """queued → in_progress: a worker takes the run; or takes it over, in progress, after a crash.

    Raises RunLostError when there is nothing to do.
    """
    run = _locked(session, run_id)
    if run.status not in states_that_lead_to(IN_PROGRESS):
        raise RunLostError(run_id)
    run.attempt += 1
    if run.status == IN_PROGRESS:
        _forget_unfinished(session, run)
        return run
    run.status = IN_PROGRESS
    run.started_at = run.started_at or now()
    events.run(IN_PROGRESS, run)
    return run


def owned(session: Session, run_id: str, attempt: int) -> RunRow:
    """The run, for a write of the worker that claimed it. Raises RunLostError."""
    run = _locked(session, run_id)
    if run.status != IN_PROGRESS or run.attempt != attempt:
        raise RunLostError(run_id)
    return run


def check_owned(session: Session, run_id: str, attempt: int) -> None:
    """As `owned`, for a write that needs nothing of the run. Raises RunLostError."""
    found = session.connection().execute(_FENCE, {"id": run_id}).one_or_none()
    if found is None or found.status != IN_PROGRESS or found.attempt != attempt:
        raise RunLostError(run_id)


def require_action(events: EventSink, run: RunRow, calls: list[Json]) -> None:
    """in_progress → requires_action: functions were called that only the caller can run."""
    run.status = REQUIRES_ACTION
    run.required_action = {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {"tool_calls": calls},
    }
    events.run(REQUIRES_ACTION, run)


def resume(events: EventSink, run: RunRow) -> None:
    """requires_action → queued: every call has its output."""
    run.status = QUEUED
    run.required_action = None
    events.run(QUEUED, run)


def complete(session: Session, events: EventSink, run: RunRow) -> None:
    """in_progress → completed."""
    run.completed_at = now()
    _end(session, events, run, COMPLETED)


def stop_incomplete(session: Session, events: EventSink, run: RunRow, reason: str) -> None:
    """in_progress → incomplete: a token limit was reached. `reason` names the limit."""
    _close_unfinished(session, events, run, COMPLETED, "max_tokens")
    run.incomplete_details = {"reason": reason}
    _end(session, events, run, INCOMPLETE)


def fail(
    session: Session,
    events: EventSink,
    run: RunRow,
    error: Json,
    message_reason: str = "run_failed",
) -> None:
    """any active state but cancelling → failed. `error` is `{"code", "message"}`."""
    _close_unfinished(session, events, run, FAILED, message_reason, error)
    run.failed_at = now()
    run.last_error = error
    _end(session, events, run, FAILED)


def start_cancelling(session: Session, events: EventSink, thread_id: str, run_id: str) -> RunRow:
    """any active state → cancelling. Raises RefusedError when the run is over."""
    run = find(session, RunRow, run_id, thread_id=thread_id)
    if run.status not in states_that_lead_to(CANCELLING):
        raise RefusedError(f"Cannot cancel run with status '{run.status}'.")
    run.status = CANCELLING
    run.required_action = None
    events.run(CANCELLING, run)
    return run


def cancel(session: Session, events: EventSink, run_id: str) -> None:
    """cancelling → cancelled."""
    run = _locked(session, run_id)
    if run.status not in states_that_lead_to(CANCELLED):
        return
    _close_unfinished(session, events, run, CANCELLED, "run_cancelled")
    run.cancelled_at = now()
    _end(session, events, run, CANCELLED)


def expire(session: Session, events: EventSink, run_id: str) -> None:
    """any active state but cancelling → expired, when its time is up."""
    run = _locked(session, run_id)
    if run.status not in states_that_lead_to(EXPIRED) or run.expires_at > now():
        return
    _close_unfinished(session, events, run, EXPIRED, "run_expired")
    _end(session, events, run, EXPIRED)


def _end(session: Session, events: EventSink, run: RunRow, status: str) -> None:
    """→ a terminal state. Messages that waited for the thread join it."""
    run.status = status
    run.required_action = None
    release_queued_messages(session, run.thread_id)
    events.run(status, run)


def _locked(session: Session, run_id: str) -> RunRow:
    run = session.scalar(_LOCKED_RUN, {"id": run_id})
    if run is None:
        raise RunLostError(run_id)
    return run


def _unfinished_steps(session: Session, run: RunRow) -> list[StepRow]:
    query = select(StepRow).where(StepRow.run_id == run.id, StepRow.status == IN_PROGRESS)
    return list(session.scalars(query.order_by(StepRow.position)))


def _unfinished_messages(session: Session, run: RunRow) -> list[MessageRow]:
    query = select(MessageRow).where(MessageRow.run_id == run.id, MessageRow.status == IN_PROGRESS)
    return list(session.scalars(query.order_by(MessageRow.position)))


def _close_unfinished(
    session: Session,
    events: EventSink,
    run: RunRow,
    step_status: str,
    message_reason: str,
    error: Json | None = None,
) -> None:
    """End what a run leaves half-done, so that no step or message stays in progress for ever."""
    for message in _unfinished_messages(session, run):
        message.status = INCOMPLETE
        message.incomplete_at = now()
        message.incomplete_details = {"reason": message_reason}
        events.message(INCOMPLETE, message, run.id)
    for step in _unfinished_steps(session, run):
        step.status = step_status
        step.last_error = _step_error(error)
        setattr(step, f"{step_status}_at", now())
        events.step(step_status, step)


def _step_error(error: Json | None) -> Json | None:
    # A step's error code knows two values only, a run's three.
    if error is None or error["code"] != "invalid_prompt":
        return error
    return {**error, "code": "server_error"}


def _forget_unfinished(session: Session, run: RunRow) -> None:
    """Take back what a dead worker began: the new one says it again, and nobody hears it twice."""
    leftovers: list[Any] = [
        *_unfinished_messages(session, run),
        *(step for step in _unfinished_steps(session, run)),
    ]
    for row in leftovers:
        delete_events(session, run.id, row.id)
        session.delete(row)
