"""Taking threads out of the server, and bringing assistants and threads in.

What comes in may be an export of ours, or objects as the hosted API returned them. Ids are kept
where they are free, so that programs which stored them go on working.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from openai.types.beta import Assistant, Thread
from openai.types.beta.threads import Message, Run
from openai.types.beta.threads.runs import RunStep
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from lib.engine.clock import now
from lib.engine.imported_figures import note_figures
from lib.engine.messages import add_thread
from lib.engine.model_calls import Prices
from lib.engine.states import CANCELLED, IN_PROGRESS, TERMINAL
from lib.store.ids import Prefix, new_id
from lib.store.objects import to_dict
from lib.store.queries import find
from lib.store.tables import AssistantRow, Json, MessageRow, Row, RunRow, StepRow, ThreadRow

EXPORT = "thread.export"


class ExportedRun(Run):
    """A run with the figures that an export of ours holds beside it."""

    answered_by: str | None = None
    duration_ms: int | None = Field(default=None, ge=0)
    waited_ms: int | None = Field(default=None, ge=0)
    cost: float | None = Field(default=None, ge=0)


@dataclass(slots=True)
class ImportReport:
    """What came in, by kind, and what did not, with the reason in words."""

    assistants: list[str] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)
    messages: int = 0
    runs: int = 0
    steps: int = 0
    skipped: list[Json] = field(default_factory=list)

    def count(self, row: Row) -> None:
        match row:
            case AssistantRow():
                self.assistants.append(row.id)
            case ThreadRow():
                self.threads.append(row.id)
            case MessageRow():
                self.messages += 1
            case RunRow():
                self.runs += 1
            case StepRow():
                self.steps += 1

    def skip(self, object_id: object, reason: str) -> None:
        self.skipped.append({"id": object_id, "reason": reason})


def export_thread(session: Session, thread_id: str) -> Json:
    """A thread with all its messages, runs and steps, oldest first."""
    thread = find(session, ThreadRow, thread_id)
    return {
        "object": EXPORT,
        "exported_at": now(),
        "thread": to_dict(thread),
        "messages": _all_of_thread(session, MessageRow, thread_id),
        "runs": _all_of_thread(session, RunRow, thread_id),
        "steps": _all_of_thread(session, StepRow, thread_id),
    }


def fork_thread(
    session: Session, thread_id: str, message_id: str | None, metadata: Json
) -> ThreadRow:
    """A new thread with copies of the messages up to and including one, or of all of them."""
    thread = find(session, ThreadRow, thread_id)
    query = select(MessageRow).where(
        MessageRow.thread_id == thread_id, MessageRow.status != IN_PROGRESS
    )
    if message_id is not None:
        last = find(session, MessageRow, message_id, thread_id=thread_id)
        query = query.where(MessageRow.position <= last.position)
    fork = add_thread(session, {**thread.metadata_, **metadata}, thread.tool_resources, [])
    fork.title = thread.title
    for message in session.scalars(query.order_by(MessageRow.position)).all():
        session.add(_copy_of(message, fork))
    return fork


def import_objects(
    session: Session, objects: Iterable[Any], rename_taken: bool, prices: Prices
) -> ImportReport:
    """Bring objects in. What cannot be used is skipped, with the reason; the rest is kept.

    Runs get the figures that their objects tell; `prices` say what those cost that do not tell. A
    thread whose id is taken comes in under a new one with `rename_taken`, else it is skipped.
    """
    return _Import(session, rename_taken, prices).run(objects)


class _Import:
    def __init__(self, session: Session, rename_taken: bool, prices: Prices) -> None:
        self._session = session
        self._prices = prices
        self._rename_taken = rename_taken
        self._new_ids: dict[str, str] = {}
        self._coming: list[tuple[_Importer, Json]] = []
        self._coming_ids: set[str] = set()
        self._run_ids: dict[str, None] = {}
        self._report = ImportReport()

    def run(self, objects: Iterable[Any]) -> ImportReport:
        waiting: dict[str, list[Json]] = {kind: [] for kind in _KINDS}
        for item in objects:
            for part in _flatten(item):
                self._sort_in(waiting, part)
        # Parents before children, and the oldest first, as their order shows in lists.
        for kind, items in waiting.items():
            for item in sorted(items, key=_created_at):
                self._choose(kind, item)
        # Every new id is chosen before the first object comes in, as objects name each other.
        for importer, item in self._coming:
            row = importer.make(self._renamed(item))
            self._session.add(row)
            self._session.flush()
            self._report.count(row)
            self._note_run_of(row)
        for run_id in self._run_ids:
            note_figures(self._session, run_id, self._prices)
        return self._report

    def _note_run_of(self, row: Row) -> None:
        if isinstance(row, RunRow):
            self._run_ids[row.id] = None
        if isinstance(row, StepRow):
            self._run_ids[row.run_id] = None

    def _sort_in(self, waiting: dict[str, list[Json]], item: Any) -> None:
        kind = item.get("object") if isinstance(item, dict) else None
        if kind in waiting and isinstance(item.get("id"), str):
            waiting[kind].append(item)
            return
        object_id = item.get("id") if isinstance(item, dict) else None
        self._report.skip(object_id, f"Objects of kind '{kind}' cannot be imported.")

    def _choose(self, kind: str, item: Json) -> None:
        """Decide whether an object comes in, and under which id."""
        importer = _KINDS[kind]
        try:
            wire = importer.wire_type.model_validate({**importer.defaults, **item})
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            self._report.skip(item["id"], f"It is not a whole {kind}: see '{where}'.")
            return
        if reason := self._obstacle(importer, item):
            self._report.skip(item["id"], reason)
            return
        self._coming.append((importer, wire.model_dump(by_alias=True)))
        self._coming_ids.add(item["id"])

    def _obstacle(self, importer: "_Importer", item: Json) -> str | None:
        """Why an object cannot come in; None when it can. May choose a new id for it."""
        for noun, row_type in importer.parents.items():
            parent = item[f"{noun}_id"]
            if parent not in self._coming_ids and not self._exists(row_type, parent):
                return f"Its {noun} '{parent}' is not here."
        if item["id"] in self._coming_ids:
            return "It was sent twice."
        if not self._exists(importer.row_type, item["id"]):
            return None
        if not self._may_be_renamed(importer, item):
            return "It is here already."
        self._new_ids[item["id"]] = new_id(importer.prefix)
        return None

    def _may_be_renamed(self, importer: "_Importer", item: Json) -> bool:
        if importer.row_type is ThreadRow:
            return self._rename_taken
        return item.get("thread_id") in self._new_ids

    def _exists(self, row_type: type[Row], object_id: Any) -> bool:
        query = select(row_type.id).where(row_type.id == object_id)
        return self._session.scalar(query) is not None

    def _renamed(self, value: Any) -> Any:
        """The same object with every id that was taken replaced, wherever it stands."""
        if isinstance(value, dict):
            return {key: self._renamed(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._renamed(item) for item in value]
        return self._new_ids.get(value, value) if isinstance(value, str) else value


def _flatten(item: Any) -> Iterator[Any]:
    """The objects in a list's envelope, in an export of ours, or beneath a thread."""
    match item:
        case list():
            for part in item:
                yield from _flatten(part)
        case {"object": "list", "data": list() as data}:
            yield from _flatten(data)
        case {"object": "thread.export", "thread": thread}:
            yield thread
            for name in ("messages", "runs", "steps"):
                yield from _flatten(item.get(name) or [])
        case {"object": "thread", "messages": messages}:
            yield {key: value for key, value in item.items() if key != "messages"}
            yield from _flatten(messages or [])
        case _:
            yield item


def _created_at(item: Json) -> int:
    created_at = item.get("created_at")
    return created_at if isinstance(created_at, int) else 0


def _all_of_thread(session: Session, row_type: Any, thread_id: str) -> list[Json]:
    query = select(row_type).where(row_type.thread_id == thread_id).order_by(row_type.position)
    return [to_dict(row, **_extra_of(row)) for row in session.scalars(query)]


def _extra_of(row: Row) -> Json:
    """An export leaves nothing out: not what searches found, nor what runs came to."""
    if isinstance(row, StepRow):
        return {"with_result_content": True}
    if isinstance(row, RunRow):
        return {name: getattr(row, name) for name in _FIGURES}
    return {}


def _copy_of(message: MessageRow, thread: ThreadRow) -> MessageRow:
    return MessageRow(
        id=new_id("msg_"),
        created_at=message.created_at,
        thread_id=thread.id,
        role=message.role,
        status=message.status,
        content=message.content,
        attachments=message.attachments,
        metadata_=message.metadata_,
        assistant_id=message.assistant_id,
        completed_at=message.completed_at,
        incomplete_at=message.incomplete_at,
        incomplete_details=message.incomplete_details,
    )


def _assistant_row(item: Json) -> AssistantRow:
    return AssistantRow(
        **_columns(item, "name", "description", "model", "instructions", "reasoning_effort"),
        tools=item["tools"],
        tool_resources=_without_nulls(item["tool_resources"]),
        temperature=1.0 if item["temperature"] is None else item["temperature"],
        top_p=1.0 if item["top_p"] is None else item["top_p"],
        response_format=item["response_format"] or "auto",
    )


def _thread_row(item: Json) -> ThreadRow:
    return ThreadRow(
        **_columns(item),
        tool_resources=_without_nulls(item["tool_resources"]),
        title=item.get("title"),
        last_active_at=item["created_at"],
    )


def _message_row(item: Json) -> MessageRow:
    is_whole = item["status"] != "incomplete"
    return MessageRow(
        **_columns(
            item, "thread_id", "role", "content", "assistant_id", "run_id", "incomplete_details"
        ),
        attachments=item["attachments"] or [],
        status="completed" if is_whole else "incomplete",
        completed_at=(item["completed_at"] or item["created_at"]) if is_whole else None,
        incomplete_at=item["incomplete_at"],
    )


def _run_row(item: Json) -> RunRow:
    status = item["status"] if item["status"] in TERMINAL else CANCELLED
    return RunRow(
        **_columns(
            item,
            *("thread_id", "assistant_id", "model", "instructions", "tools", "temperature"),
            *("top_p", "max_prompt_tokens", "max_completion_tokens", "tool_choice"),
            *("parallel_tool_calls", "response_format", "last_error", "incomplete_details"),
            *("usage", "started_at", "completed_at", "cancelled_at", "failed_at"),
            *_FIGURES,
        ),
        status=status,
        truncation_strategy=item["truncation_strategy"] or {"type": "auto", "last_messages": None},
        expires_at=item["created_at"],
    )


def _step_row(item: Json) -> StepRow:
    status = CANCELLED if item["status"] == IN_PROGRESS else item["status"]
    return StepRow(
        **_columns(
            item,
            *("thread_id", "run_id", "assistant_id", "type", "step_details", "usage"),
            *("last_error", "completed_at", "cancelled_at", "failed_at", "expired_at"),
        ),
        status=status,
        replay=[],
        tool_outputs={},
        tool_states={},
    )


def _columns(item: Json, *names: str) -> Json:
    """The columns that are taken over as they came."""
    taken = {name: item.get(name) for name in names}
    common = {"id": item["id"], "created_at": item["created_at"]}
    return {**common, "metadata_": item["metadata"] or {}, **taken}


def _without_nulls(resources: Json | None) -> Json:
    return {name: section for name, section in (resources or {}).items() if section is not None}


@dataclass(frozen=True, slots=True)
class _Importer:
    """How one kind of object comes in.

    `parents` must be there first; `defaults` stand for fields that the hosted API left out.
    """

    wire_type: type[BaseModel]
    row_type: type[Row]
    make: Callable[[Json], Row]
    prefix: Prefix
    parents: dict[str, type[Row]] = field(default_factory=dict)
    defaults: Json = field(default_factory=dict)


_FIGURES = ("answered_by", "duration_ms", "waited_ms", "cost")
_OF_THREAD: dict[str, type[Row]] = {"thread": ThreadRow}
_OF_RUN: dict[str, type[Row]] = {"thread": ThreadRow, "run": RunRow}

_KINDS = {
    "assistant": _Importer(Assistant, AssistantRow, _assistant_row, "asst_"),
    "thread": _Importer(Thread, ThreadRow, _thread_row, "thread_"),
    "thread.run": _Importer(ExportedRun, RunRow, _run_row, "run_", _OF_THREAD),
    "thread.run.step": _Importer(RunStep, StepRow, _step_row, "step_", _OF_RUN),
    "thread.message": _Importer(
        Message, MessageRow, _message_row, "msg_", _OF_THREAD, {"status": "completed"}
    ),
}
