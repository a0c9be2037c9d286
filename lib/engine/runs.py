"""Making runs and answering their function calls: the units of work behind the run's resources."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from lib.engine.clock import now
from lib.engine.errors import RefusedError
from lib.engine.events import EventSink
from lib.engine.messages import NewMessage, add_message
from lib.engine.reply import answered, complete_step
from lib.engine.states import IN_PROGRESS, QUEUED, REQUIRES_ACTION
from lib.engine.transitions import resume
from lib.store.queries import find
from lib.store.tables import IS_ACTIVE, AssistantRow, Json, RunRow, StepRow, ThreadRow

_ACTIVE_RUN = select(RunRow.id).where(RunRow.thread_id == bindparam("thread_id"), IS_ACTIVE)


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run as asked for. None means what the assistant says, or the API's default."""

    assistant_id: str
    model: str | None = None
    instructions: str | None = None
    additional_instructions: str | None = None
    additional_messages: list[NewMessage] = field(default_factory=list)
    tools: list[Json] | None = None
    metadata: Json = field(default_factory=dict)
    temperature: float | None = None
    top_p: float | None = None
    max_prompt_tokens: int | None = None
    max_completion_tokens: int | None = None
    truncation_strategy: Json | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    response_format: Any = None
    reasoning_effort: str | None = None
    expires_after: int | None = None


@dataclass(frozen=True, slots=True)
class ToolOutput:
    tool_call_id: str
    output: str
    answered_by: str | None = None
    """Who answered, kept with the call; None when the caller does not say."""


def create_run(
    session: Session,
    events: EventSink,
    run_id: str,
    thread_id: str,
    new: NewRun,
    expires_after: int,
) -> RunRow:
    """Queue a run on a thread. Raises NotFoundError, and RefusedError when the thread is busy."""
    thread = find(session, ThreadRow, thread_id)
    if active := active_run(session, thread_id):
        raise RefusedError(f"Thread {thread_id} already has an active run {active}.")
    assistant = find(session, AssistantRow, new.assistant_id)
    for message in new.additional_messages:
        add_message(session, thread, message)
    run = _as_row(run_id, thread, assistant, new, expires_after)
    session.add(run)
    events.run("created", run)
    events.run(QUEUED, run)
    return run


def submit_tool_outputs(
    session: Session, events: EventSink, thread_id: str, run_id: str, outputs: list[ToolOutput]
) -> RunRow:
    """Give every waiting call its output and queue the run. Refused, the run goes on waiting."""
    run = find(session, RunRow, run_id, thread_id=thread_id)
    if run.status != REQUIRES_ACTION:
        raise RefusedError(f'Runs in status "{run.status}" do not accept tool outputs.')
    step = _waiting_step(session, run_id)
    calls = step.step_details["tool_calls"]
    by_call = _check_outputs([call["id"] for call in calls if _waits(call)], outputs)
    step.step_details = {
        **step.step_details,
        "tool_calls": [_with_output(call, by_call) for call in calls],
    }
    complete_step(events, step)
    resume(events, run)
    return run


def active_run(session: Session, thread_id: str) -> str | None:
    """The id of the run that keeps the thread busy."""
    return session.connection().scalar(_ACTIVE_RUN, {"thread_id": thread_id})


def _as_row(
    run_id: str, thread: ThreadRow, assistant: AssistantRow, new: NewRun, expires_after: int
) -> RunRow:
    created_at = now()
    expires_after = new.expires_after or assistant.run_expires_after or expires_after
    return RunRow(
        id=run_id,
        created_at=created_at,
        thread_id=thread.id,
        assistant_id=assistant.id,
        status=QUEUED,
        attempt=0,
        model=new.model or assistant.model,
        instructions=_instructions(assistant, new),
        tools=assistant.tools if new.tools is None else new.tools,
        metadata_=new.metadata,
        temperature=assistant.temperature if new.temperature is None else new.temperature,
        top_p=assistant.top_p if new.top_p is None else new.top_p,
        max_prompt_tokens=new.max_prompt_tokens,
        max_completion_tokens=new.max_completion_tokens,
        truncation_strategy=new.truncation_strategy or {"type": "auto", "last_messages": None},
        tool_choice=new.tool_choice or "auto",
        parallel_tool_calls=new.parallel_tool_calls is not False,
        response_format=new.response_format or assistant.response_format,
        reasoning_effort=new.reasoning_effort or assistant.reasoning_effort,
        expires_at=created_at + expires_after,
    )


def _instructions(assistant: AssistantRow, new: NewRun) -> str:
    chosen = assistant.instructions if new.instructions is None else new.instructions
    return "\n".join(filter(None, [chosen, new.additional_instructions]))


def _waiting_step(session: Session, run_id: str) -> StepRow:
    query = select(StepRow).where(
        StepRow.run_id == run_id, StepRow.type == "tool_calls", StepRow.status == IN_PROGRESS
    )
    return session.scalars(query).one()


def _waits(call: Json) -> bool:
    return bool(call["type"] == "function" and call["function"]["output"] is None)


def _check_outputs(call_ids: list[str], outputs: list[ToolOutput]) -> dict[str, ToolOutput]:
    given = [output.tool_call_id for output in outputs]
    if sorted(given) != sorted(call_ids):
        raise RefusedError(
            f"Expected tool outputs for call_ids {call_ids}, got {given}.", "tool_outputs"
        )
    return {output.tool_call_id: output for output in outputs}


def _with_output(call: Json, by_call: dict[str, ToolOutput]) -> Json:
    if not _waits(call):
        return call
    given = by_call[call["id"]]
    answered_call = {**call, "function": {**call["function"], "output": given.output}}
    if given.answered_by is None:
        return answered_call
    return {**answered_call, "answered": answered(given.answered_by)}
