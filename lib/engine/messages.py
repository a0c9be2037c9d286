"""Adding messages to threads: the units of work behind the thread's and message's resources."""

from dataclasses import dataclass, field

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from lib.engine.clock import now
from lib.engine.errors import RefusedError
from lib.engine.vector_stores import attach_files
from lib.store.ids import new_id
from lib.store.message_texts import texts_of
from lib.store.queries import find
from lib.store.tables import Json, MessageRow, QueuedMessageRow, ThreadRow

_TITLE_LENGTH = 80
_WAITING = (
    select(QueuedMessageRow)
    .where(QueuedMessageRow.thread_id == bindparam("thread_id"))
    .order_by(QueuedMessageRow.position)
)


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message as a client writes it; `content` is in the shape the API answers with."""

    role: str
    content: list[Json]
    attachments: list[Json] = field(default_factory=list)
    metadata: Json = field(default_factory=dict)


def add_message(session: Session, thread: ThreadRow, new: NewMessage) -> MessageRow:
    message = _message_in(thread, new)
    session.add(message)
    attach_files(session, thread, new.attachments)
    return message


def _message_in(thread: ThreadRow, new: NewMessage) -> MessageRow:
    """The message's row; the thread's own row is brought up to date with it."""
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
    thread.last_active_at = created_at
    if thread.title is None and new.role == "user":
        thread.title = _title(new.content)
    return message


def queue_message(session: Session, thread_id: str, new: NewMessage) -> QueuedMessageRow:
    """Keep a message until the thread's active run has ended. Its files can be searched at once."""
    attach_files(session, find(session, ThreadRow, thread_id), new.attachments)
    queued = QueuedMessageRow(
        id=new_id("msg_"),
        created_at=now(),
        thread_id=thread_id,
        role=new.role,
        content=new.content,
        attachments=new.attachments,
        metadata_=new.metadata,
    )
    session.add(queued)
    return queued


def release_queued_messages(session: Session, thread_id: str) -> None:
    """Let the messages that waited join their thread, in the order in which they came."""
    for queued in session.scalars(_WAITING, {"thread_id": thread_id}):
        session.add(as_message(queued))
        session.delete(queued)


def find_message(session: Session, thread_id: str, message_id: str) -> MessageRow:
    """A message of a thread, also one that still waits to join it. Raises NotFoundError."""
    queued = _queued(session, thread_id, message_id)
    return (
        as_message(queued) if queued else find(session, MessageRow, message_id, thread_id=thread_id)
    )


def delete_message(session: Session, thread_id: str, message_id: str) -> None:
    """Raises NotFoundError, and RefusedError while a run is writing the message."""
    queued = _queued(session, thread_id, message_id)
    row = queued or find(session, MessageRow, message_id, thread_id=thread_id)
    if isinstance(row, MessageRow) and row.status == "in_progress":
        raise RefusedError(
            f"Can't delete message {message_id} while run {row.run_id} is writing it. "
            "Cancel the run first."
        )
    session.delete(row)


def _queued(session: Session, thread_id: str, message_id: str) -> QueuedMessageRow | None:
    query = select(QueuedMessageRow).where(
        QueuedMessageRow.id == message_id, QueuedMessageRow.thread_id == thread_id
    )
    return session.scalar(query)


def as_message(queued: QueuedMessageRow) -> MessageRow:
    return MessageRow(
        id=queued.id,
        created_at=queued.created_at,
        thread_id=queued.thread_id,
        role=queued.role,
        status="completed",
        content=queued.content,
        attachments=queued.attachments,
        metadata_=queued.metadata_,
        completed_at=queued.created_at,
    )


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
    rows = [_message_in(thread, message) for message in messages]
    session.add(thread)
    # The messages' foreign key wants the thread to be there first.
    session.flush()
    session.add_all(rows)
    for message in messages:
        attach_files(session, thread, message.attachments)
    return thread


def _title(content: list[Json]) -> str | None:
    words = " ".join(" ".join(texts_of(content)).split())
    if len(words) <= _TITLE_LENGTH:
        return words or None
    return words[: _TITLE_LENGTH - 1].rsplit(" ", 1)[0] + "…"
