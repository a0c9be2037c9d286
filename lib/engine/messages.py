"""Adding messages to threads: the units of work behind the thread's and message's resources."""

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from lib.engine.transitions import now
from lib.store.ids import new_id
from lib.store.tables import Json, MessageRow, ThreadRow

_TITLE_LENGTH = 80


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message as a client writes it; `content` is in the shape the API answers with."""

    role: str
    content: list[Json]
    attachments: list[Json] = field(default_factory=list)
    metadata: Json = field(default_factory=dict)


def add_message(session: Session, thread: ThreadRow, new: NewMessage) -> MessageRow:
    created_at = now()
    message = MessageRow(
        id=new_id("msg_"),
        created_at=created_at,
        thread_id=thread.id,
        role=new.role,
        status="completed",
        content=new.content,
        attachments=new.attachments,
        metadata_=new.metadata,
        completed_at=created_at,
    )
    session.add(message)
    thread.last_active_at = created_at
    if thread.title is None and new.role == "user":
        thread.title = _title(new.content)
    return message


def add_thread(
    session: Session, metadata: Json, tool_resources: Json, messages: list[NewMessage]
) -> ThreadRow:
    created_at = now()
    thread = ThreadRow(
        id=new_id("thread_"),
        created_at=created_at,
        metadata_=metadata,
        tool_resources=tool_resources,
        title=None,
        last_active_at=created_at,
    )
    session.add(thread)
    session.flush()
    for message in messages:
        add_message(session, thread, message)
    return thread


def _title(content: list[Json]) -> str | None:
    text = " ".join(part["text"]["value"] for part in content if part["type"] == "text")
    words = " ".join(text.split())
    if len(words) <= _TITLE_LENGTH:
        return words or None
    return words[: _TITLE_LENGTH - 1].rsplit(" ", 1)[0] + "…"
