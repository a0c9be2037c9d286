"""One reply of the model, written down as it streams in: messages, tool calls, their steps."""

import json
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from lib.engine.clock import now
from lib.engine.errors import RunLostError
from lib.engine.events import EventLog, EventSink
from lib.engine.states import COMPLETED, IN_PROGRESS
from lib.engine.transitions import check_owned
from lib.models.provider import (
    ModelEvent,
    RefusalDelta,
    TextDelta,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    Usage,
)
from lib.store.ids import new_id
from lib.store.tables import Json, MessageRow, RunRow, StepRow


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """What a worker needs to know of the run it took. `attempt` fences its writes."""

    id: str
    thread_id: str
    assistant_id: str
    attempt: int


@dataclass(slots=True)
class _OpenMessage:
    """A message that is being said. Its parts stand in the order in which they began."""

    row: MessageRow
    step: StepRow
    parts: list[tuple[str, list[str]]] = field(default_factory=list)

    def add(self, kind: str, text: str) -> int:
        """Append to the part of this kind. Returns the part's index."""
        for index, (part_kind, texts) in enumerate(self.parts):
            if part_kind == kind:
                texts.append(text)
                return index
        self.parts.append((kind, [text]))
        return len(self.parts) - 1

    def content(self) -> list[Json]:
        return [_content_part(kind, "".join(texts)) for kind, texts in self.parts]


@dataclass(slots=True)
class DraftCall:
    """A tool call as far as the model has written it."""

    id: str
    name: str
    arguments: list[str] = field(default_factory=list)

    def as_json(self) -> Json:
        return {
            "id": self.id,
            "type": "function",
            "function": {"name": self.name, "arguments": "".join(self.arguments), "output": None},
        }


class Reply:
    """Turns model events into steps and messages of the run, and their events.

    Messages and steps are written when they begin and when they end; between, only deltas flow.
    Their rows are kept here meanwhile: only this worker changes them.
    """

    def __init__(self, log: EventLog, run: ClaimedRun) -> None:
        self._log = log
        self._run = run
        self._message: _OpenMessage | None = None
        self._calls_step: StepRow | None = None
        self.calls: list[DraftCall] = []

    async def take(self, event: ModelEvent) -> None:
        """Take one event of the model. Raises RunLostError."""
        match event:
            case TextDelta(text):
                await self._say("text", text)
            case RefusalDelta(text):
                await self._say("refusal", text)
            case ToolCallStarted():
                await self._start_call(event)
            case ToolCallArgumentsDelta():
                self._continue_call(event)

    def settle(
        self, session: Session, events: EventSink, usage: Usage, replay: list[Json]
    ) -> StepRow | None:
        """The reply is whole: close its message, and give the tool calls' step its calls.

        The tool calls' step stays in progress until every call has its output. Returns it.
        """
        if self._message:
            self._close_message(session, events, Usage() if self._calls_step else usage)
        if self._calls_step is None:
            return None
        step = self._calls_step
        session.add(step)
        step.step_details = self._calls_details()
        step.usage = usage_json(usage)
        step.replay = replay
        return step

    def save_partial(self, session: Session, usage: Usage | None = None) -> None:
        """The reply is cut short: keep what was said so far. What closes the run does the rest."""
        run = session.scalar(select(RunRow).where(RunRow.id == self._run.id))
        if run is None or run.attempt != self._run.attempt:
            raise RunLostError(self._run.id)
        last_step = self._calls_step
        if self._calls_step:
            session.add(self._calls_step)
            self._calls_step.step_details = self._calls_details()
        if self._message:
            session.add_all([self._message.row, self._message.step])
            self._message.row.content = self._message.content()
            last_step = last_step or self._message.step
        if usage is not None and last_step:
            last_step.usage = usage_json(usage)

    async def _say(self, kind: str, text: str) -> None:
        if not text:
            return
        if self._message is None:
            await self._log.write(partial(self._start_message, kind=kind, text=text))
        else:
            self._log.delta(*self._said(self._message, kind, text))

    def _said(self, message: _OpenMessage, kind: str, text: str) -> tuple[str, str, str, str]:
        """Append to the message. Returns the delta's event, as the log takes it."""
        is_new_part = kind not in [part_kind for part_kind, _ in message.parts]
        part = _content_delta(message.add(kind, text), kind, text, is_new_part)
        payload = {
            "id": message.row.id,
            "object": "thread.message.delta",
            "delta": {"content": [part]},
        }
        return self._run.id, "thread.message.delta", _compact(payload), message.row.id

    def _start_message(self, session: Session, events: EventSink, kind: str, text: str) -> None:
        run = self._run
        check_owned(session, run.id, run.attempt)
        message = MessageRow(
            id=new_id("msg_"),
            created_at=now(),
            thread_id=run.thread_id,
            run_id=run.id,
            assistant_id=run.assistant_id,
            role="assistant",
            status=IN_PROGRESS,
            content=[],
            attachments=[],
            metadata_={},
        )
        step = new_step(run, "message_creation", {"message_creation": {"message_id": message.id}})
        session.add_all([step, message])
        for name in ("created", IN_PROGRESS):
            events.step(name, step)
        for name in ("created", IN_PROGRESS):
            events.message(name, message, run.id)
        started = _OpenMessage(message, step)
        events.add(*self._said(started, kind, text))
        # Not for the caller to set: cancelled meanwhile, it could not keep what was said.
        self._message = started

    def _close_message(self, session: Session, events: EventSink, usage: Usage) -> None:
        assert self._message is not None
        message = self._message.row
        session.add_all([message, self._message.step])
        message.content = self._message.content()
        message.status = COMPLETED
        message.completed_at = now()
        events.message(COMPLETED, message, self._run.id)
        complete_step(events, self._message.step, usage)

    async def _start_call(self, event: ToolCallStarted) -> None:
        self.calls.append(DraftCall(event.id, event.name))
        if self._calls_step is None:
            self._calls_step = await self._log.write(self._start_calls_step)
            self._message = None
        self._call_delta(
            {
                "index": event.index,
                "id": event.id,
                "type": "function",
                "function": {"name": event.name, "arguments": "", "output": None},
            }
        )

    def _start_calls_step(self, session: Session, events: EventSink) -> StepRow:
        check_owned(session, self._run.id, self._run.attempt)
        if self._message:
            # The reply's tokens are counted once, on its last step.
            self._close_message(session, events, Usage())
        step = new_step(self._run, "tool_calls", {"tool_calls": []})
        session.add(step)
        for name in ("created", IN_PROGRESS):
            events.step(name, step)
        return step

    def _continue_call(self, event: ToolCallArgumentsDelta) -> None:
        if not event.text:
            return
        self.calls[event.index].arguments.append(event.text)
        self._call_delta(
            {"index": event.index, "type": "function", "function": {"arguments": event.text}}
        )

    def _call_delta(self, call: Json) -> None:
        assert self._calls_step is not None
        payload = {
            "id": self._calls_step.id,
            "object": "thread.run.step.delta",
            "delta": {"step_details": {"type": "tool_calls", "tool_calls": [call]}},
        }
        self._log.delta(
            self._run.id, "thread.run.step.delta", _compact(payload), self._calls_step.id
        )

    def _calls_details(self) -> Json:
        return {"type": "tool_calls", "tool_calls": [call.as_json() for call in self.calls]}


def new_step(run: ClaimedRun, kind: str, details: Json) -> StepRow:
    return StepRow(
        id=new_id("step_"),
        created_at=now(),
        run_id=run.id,
        thread_id=run.thread_id,
        assistant_id=run.assistant_id,
        type=kind,
        status=IN_PROGRESS,
        step_details={"type": kind, **details},
        metadata_={},
        replay=[],
    )


def complete_step(events: EventSink, step: StepRow, usage: Usage | None = None) -> None:
    """in_progress → completed, for a step."""
    step.status = COMPLETED
    step.completed_at = now()
    if usage is not None:
        step.usage = usage_json(usage)
    events.step(COMPLETED, step)


def usage_json(usage: Usage) -> Json:
    """Token counts in the API's shape."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_token_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def usage_from_json(usage: Json | None) -> Usage:
    if usage is None:
        return Usage()
    return Usage(
        usage["prompt_tokens"],
        usage["completion_tokens"],
        usage["prompt_token_details"]["cached_tokens"],
        usage["completion_tokens_details"]["reasoning_tokens"],
    )


def _content_part(kind: str, text: str) -> Json:
    if kind == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "text", "text": {"value": text, "annotations": []}}


def _content_delta(index: int, kind: str, text: str, is_new_part: bool) -> Json:
    if kind == "refusal":
        return {"index": index, "type": "refusal", "refusal": text}
    annotations: Json = {"annotations": []} if is_new_part else {}
    return {"index": index, "type": "text", "text": {"value": text, **annotations}}


def _compact(payload: Json) -> str:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
