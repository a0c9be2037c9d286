"""One reply of the model, written down as it streams in: messages, tool calls, their steps."""

import json
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from lib.engine.answer import Answer
from lib.engine.builtin.protocol import Addition, BuiltinTool
from lib.engine.clock import now
from lib.engine.errors import RunLostError
from lib.engine.events import EventLog, EventSink
from lib.engine.states import COMPLETED, IN_PROGRESS
from lib.engine.toolbox import Toolbox
from lib.engine.transitions import check_owned
from lib.engine.usage import usage_json
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

BY_SERVER = "server"
"""Who answered a call that this server ran itself."""


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """What a worker needs to know of the run it took. `attempt` fences its writes."""

    id: str
    thread_id: str
    assistant_id: str
    attempt: int


@dataclass(slots=True)
class _SpokenPart:
    """A text or a refusal that is growing."""

    kind: str
    texts: list[str] = field(default_factory=list)
    annotations: list[Json] = field(default_factory=list)

    def as_json(self) -> Json:
        text = "".join(self.texts)
        if self.kind == "refusal":
            return {"type": "refusal", "refusal": text}
        return {"type": "text", "text": {"value": text, "annotations": self.annotations}}


@dataclass(slots=True)
class _OpenMessage:
    """A message that is being said. Its parts stand in the order in which they began."""

    row: MessageRow
    step: StepRow
    opening: list[Json]
    spoken: list[_SpokenPart] = field(default_factory=list)

    def add(self, kind: str, addition: Addition) -> Json:
        """Append to the part of this kind. Returns the delta that tells it."""
        part = next((part for part in self.spoken if part.kind == kind), None)
        is_new = part is None
        if part is None:
            part = _SpokenPart(kind)
            self.spoken.append(part)
        first = len(part.annotations)
        part.texts.append(addition.text)
        part.annotations.extend(addition.annotations)
        index = len(self.opening) + self.spoken.index(part)
        if kind == "refusal":
            return {"index": index, "type": "refusal", "refusal": addition.text}
        text: Json = {"value": addition.text}
        if is_new or addition.annotations:
            text["annotations"] = [
                {"index": number, **annotation}
                for number, annotation in enumerate(addition.annotations, start=first)
            ]
        return {"index": index, "type": "text", "text": text}

    def content(self) -> list[Json]:
        return [*self.opening, *(part.as_json() for part in self.spoken)]


@dataclass(slots=True)
class DraftCall:
    """A tool call as far as it is known: as the model writes it, then with its output.

    `section` is what clients see of a call that the engine runs itself. A function may be run
    here, too: it then gets its `output` as if its caller had answered.
    """

    id: str
    name: str
    tool: BuiltinTool | None
    is_own_function: bool = False
    output: str | None = None
    section: Json = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    shown: str = ""

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)

    def as_json(self) -> Json:
        if self.tool:
            # A copy: the row must not change along with a call that is still going on.
            return {"id": self.id, "type": self.tool.type, self.tool.type: deepcopy(self.section)}
        function = {"name": self.name, "arguments": self.arguments, "output": self.output}
        call = {"id": self.id, "type": "function", "function": function}
        return call if self.output is None else {**call, "answered": answered(BY_SERVER)}

    @property
    def runs_here(self) -> bool:
        return self.tool is not None or self.is_own_function

    def write(self, text: str) -> Json | None:
        """Take a piece of the arguments. Returns the delta that tells it, if any."""
        self.pieces.append(text)
        if self.tool is None:
            return {"type": "function", "function": {"arguments": text}}
        written = self.tool.written(self.arguments)
        fresh, self.shown = written[len(self.shown) :], written
        if not fresh:
            return None
        self.section["input"] = written
        return {"type": self.tool.type, self.tool.type: {"input": fresh}}


class Reply:
    """Turns model events into steps and messages of the run, and their events.

    Messages and steps are written when they begin and when they end; between, only deltas flow.
    Their rows are kept here meanwhile: only this worker changes them.
    """

    def __init__(self, log: EventLog, run: ClaimedRun, toolbox: Toolbox, answer: Answer) -> None:
        self._log = log
        self._run = run
        self._toolbox = toolbox
        self._answer = answer
        self._message: _OpenMessage | None = None
        self._calls_step: StepRow | None = None
        self.calls: list[DraftCall] = []

    async def take(self, event: ModelEvent) -> None:
        """Take one event of the model. Raises RunLostError."""
        match event:
            case TextDelta(text):
                await self._say("text", self._answer.feed(text))
            case RefusalDelta(text):
                await self._say("refusal", Addition(text))
            case ToolCallStarted():
                await self._start_call(event)
            case ToolCallArgumentsDelta():
                self._continue_call(event)

    def finish_text(self) -> None:
        """The model has said its last word: let go of what was held back."""
        rest = self._answer.finish()
        if self._message and (rest.text or rest.annotations):
            self._tell("text", rest)

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

    def end_tools(self, session: Session, told: Json, states: Json) -> StepRow:
        """The engine has run its calls: give the step their outputs. Returns it, in progress."""
        assert self._calls_step is not None
        session.add(self._calls_step)
        self._calls_step.step_details = self._calls_details()
        self._calls_step.tool_outputs = told
        self._calls_step.tool_states = states
        return self._calls_step

    @property
    def step_id(self) -> str | None:
        """The last step that the reply has begun."""
        if self._calls_step:
            return self._calls_step.id
        return self._message.step.id if self._message else None

    def tell_call(self, index: int, change: Json) -> None:
        """Announce what joins a call's section while the engine runs it."""
        tool = self.calls[index].tool
        assert tool is not None
        self._call_delta({"index": index, "type": tool.type, tool.type: change})

    async def _say(self, kind: str, addition: Addition) -> None:
        if not addition.text and not addition.annotations:
            return
        if self._message is None:
            await self._log.write(partial(self._start_message, kind=kind, addition=addition))
            return
        self._tell(kind, addition)

    def _tell(self, kind: str, addition: Addition) -> None:
        assert self._message is not None
        part = self._message.add(kind, addition)
        self._log.delta(*self._message_delta(self._message, part))

    def _message_delta(self, message: _OpenMessage, part: Json) -> tuple[str, str, str, str]:
        """The event of a delta, as the log takes it."""
        payload = {
            "id": message.row.id,
            "object": "thread.message.delta",
            "delta": {"content": [part]},
        }
        return self._run.id, "thread.message.delta", _compact(payload), message.row.id

    def _start_message(
        self, session: Session, events: EventSink, kind: str, addition: Addition
    ) -> None:
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
        started = _OpenMessage(message, step, self._answer.opening())
        parts = [{"index": index, **part} for index, part in enumerate(started.opening)]
        for part in [*parts, started.add(kind, addition)]:
            events.add(*self._message_delta(started, part))
        # Not for the caller to set: cancelled meanwhile, it could not keep what was said.
        self._message = started

    def _close_message(self, session: Session, events: EventSink, usage: Usage) -> None:
        assert self._message is not None
        message = self._message.row
        session.add_all([message, self._message.step])
        message.content = self._message.content()
        message.attachments = self._answer.attachments()
        message.status = COMPLETED
        message.completed_at = now()
        events.message(COMPLETED, message, self._run.id)
        complete_step(events, self._message.step, usage)

    async def _start_call(self, event: ToolCallStarted) -> None:
        tool = self._toolbox.builtin(event.name)
        is_own_function = tool is None and await self._toolbox.runs_by_itself(event.name)
        call = DraftCall(event.id, event.name, tool, is_own_function)
        call.section = tool.begin() if tool else {}
        self.calls.append(call)
        if self._calls_step is None:
            self.finish_text()
            self._calls_step = await self._log.write(self._start_calls_step)
            self._message = None
        self._call_delta({"index": event.index, **call.as_json()})

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
        if change := self.calls[event.index].write(event.text):
            self._call_delta({"index": event.index, **change})

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


def answered(by: str) -> Json:
    """Extension on a function call: who gave its output, and when in Unix seconds."""
    return {"by": by, "at": now()}


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
        tool_states={},
        tool_outputs={},
    )


def complete_step(events: EventSink, step: StepRow, usage: Usage | None = None) -> None:
    """in_progress → completed, for a step."""
    step.status = COMPLETED
    step.completed_at = now()
    if usage is not None:
        step.usage = usage_json(usage)
    events.step(COMPLETED, step)


def _compact(payload: Json) -> str:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
