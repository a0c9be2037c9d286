"""The tables. Column names are the API's field names; `position` orders rows as they were made."""

from typing import Any, ClassVar

from sqlalchemy import JSON, ForeignKey, Index, MetaData, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Json = dict[str, Any]

ACTIVE_STATUSES = ("queued", "in_progress", "requires_action", "cancelling")
IS_ACTIVE = text("status IN ({})".format(", ".join(f"'{status}'" for status in ACTIVE_STATUSES)))


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        Json: JSON(none_as_null=True),
        list[Json]: JSON(none_as_null=True),
    }


class Row(Base):
    """What every API object has. Times are Unix seconds."""

    __abstract__ = True

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True, sort_order=-3)
    id: Mapped[str] = mapped_column(unique=True, sort_order=-2)
    created_at: Mapped[int] = mapped_column(sort_order=-1)


class AssistantRow(Row):
    __tablename__ = "assistants"

    name: Mapped[str | None]
    description: Mapped[str | None]
    model: Mapped[str]
    instructions: Mapped[str | None] = mapped_column(Text)
    tools: Mapped[list[Json]]
    tool_resources: Mapped[Json]
    metadata_: Mapped[Json] = mapped_column("metadata")
    temperature: Mapped[float | None]
    top_p: Mapped[float | None]
    response_format: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    reasoning_effort: Mapped[str | None]
    run_expires_after: Mapped[int | None]
    """Extension: seconds until this assistant's unfinished runs expire; null for the setting."""


class ThreadRow(Row):
    __tablename__ = "threads"
    __table_args__ = (Index(None, "last_active_at"),)

    metadata_: Mapped[Json] = mapped_column("metadata")
    tool_resources: Mapped[Json]
    title: Mapped[str | None]
    """Extension: the beginning of the first user message, for lists of threads."""
    last_active_at: Mapped[int]


class MessageRow(Row):
    __tablename__ = "messages"
    __table_args__ = (Index(None, "thread_id", "position"), Index(None, "run_id"))

    thread_id: Mapped[str] = mapped_column(ForeignKey("threads.id", ondelete="CASCADE"))
    role: Mapped[str]
    status: Mapped[str]
    content: Mapped[list[Json]]
    attachments: Mapped[list[Json]]
    metadata_: Mapped[Json] = mapped_column("metadata")
    assistant_id: Mapped[str | None]
    run_id: Mapped[str | None]
    completed_at: Mapped[int | None]
    incomplete_at: Mapped[int | None]
    incomplete_details: Mapped[Json | None]


class RunRow(Row):
    __tablename__ = "runs"
    __table_args__ = (
        Index("uq_runs_one_active_per_thread", "thread_id", unique=True, sqlite_where=IS_ACTIVE),
        Index(None, "thread_id", "position"),
        Index(None, "assistant_id", "position"),
        Index(None, "status", "expires_at"),
        Index(None, "status", "position"),
        # Holds all that lists and totals of many runs look at, so that they never read whole rows.
        Index(
            "ix_runs_figures",
            "status",
            "created_at",
            "assistant_id",
            "thread_id",
            "model",
            "answered_by",
            "duration_ms",
            "waited_ms",
            "step_count",
            "prompt_tokens",
            "cached_tokens",
            "completion_tokens",
            "reasoning_tokens",
            "cost",
        ),
        # In the order of the time that runs took without waiting for people: for percentiles.
        Index("ix_runs_worked", "status", text("(duration_ms - waited_ms)")),
    )

    thread_id: Mapped[str] = mapped_column(ForeignKey("threads.id", ondelete="CASCADE"))
    assistant_id: Mapped[str]
    status: Mapped[str]
    attempt: Mapped[int] = mapped_column(default=0)
    """How often a worker took the run; every write of a worker is fenced by it."""
    model: Mapped[str]
    answered_by: Mapped[str | None]
    """Extension: the model that answered, where it is another than the one asked for."""
    instructions: Mapped[str] = mapped_column(Text)
    tools: Mapped[list[Json]]
    metadata_: Mapped[Json] = mapped_column("metadata")
    temperature: Mapped[float | None]
    top_p: Mapped[float | None]
    max_prompt_tokens: Mapped[int | None]
    max_completion_tokens: Mapped[int | None]
    truncation_strategy: Mapped[Json]
    tool_choice: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    parallel_tool_calls: Mapped[bool]
    response_format: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    reasoning_effort: Mapped[str | None]
    required_action: Mapped[Json | None]
    last_error: Mapped[Json | None]
    incomplete_details: Mapped[Json | None]
    usage: Mapped[Json | None]
    expires_at: Mapped[int]
    started_at: Mapped[int | None]
    completed_at: Mapped[int | None]
    cancelled_at: Mapped[int | None]
    failed_at: Mapped[int | None]
    # Extensions: what the run came to, written when it ends; milliseconds, tokens and US dollars.
    duration_ms: Mapped[int | None]
    """From its creation to its end."""
    waited_ms: Mapped[int | None]
    """How much of that it waited for the outputs of function calls."""
    step_count: Mapped[int | None]
    prompt_tokens: Mapped[int | None]
    cached_tokens: Mapped[int | None]
    completion_tokens: Mapped[int | None]
    reasoning_tokens: Mapped[int | None]
    cost: Mapped[float | None]
    """Null when a model without a known price answered."""


class StepRow(Row):
    __tablename__ = "steps"
    __table_args__ = (Index(None, "run_id", "position"), Index(None, "thread_id", "position"))

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    thread_id: Mapped[str]
    assistant_id: Mapped[str]
    type: Mapped[str]
    status: Mapped[str]
    step_details: Mapped[Json]
    metadata_: Mapped[Json] = mapped_column("metadata")
    usage: Mapped[Json | None]
    last_error: Mapped[Json | None]
    replay: Mapped[list[Json]]
    """Opaque items the model provider wants back with this step's tool calls."""
    tool_outputs: Mapped[Json]
    """By call id: what the model was told of calls that the engine ran itself."""
    tool_states: Mapped[Json]
    """By call id: the tool's own memory of the call."""
    completed_at: Mapped[int | None]
    cancelled_at: Mapped[int | None]
    failed_at: Mapped[int | None]
    expired_at: Mapped[int | None]


class QueuedMessageRow(Row):
    """Extension: a message sent while a run was active; it joins the thread when that run ends."""

    __tablename__ = "queued_messages"
    __table_args__ = (Index(None, "thread_id", "position"),)

    thread_id: Mapped[str] = mapped_column(ForeignKey("threads.id", ondelete="CASCADE"))
    role: Mapped[str]
    content: Mapped[list[Json]]
    attachments: Mapped[list[Json]]
    metadata_: Mapped[Json] = mapped_column("metadata")


class RunDraftRow(Base):
    """Extension: what was typed into the forms of a run's function calls and not submitted yet."""

    __tablename__ = "run_drafts"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    values: Mapped[Json]


class SandboxFileRow(Base):
    """A file as code in a thread's sandbox knows it: put there, or made there."""

    __tablename__ = "sandbox_files"
    __table_args__ = (Index(None, "thread_id", "name"),)

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    thread_id: Mapped[str] = mapped_column(ForeignKey("threads.id", ondelete="CASCADE"))
    file_id: Mapped[str]
    name: Mapped[str]
    """Its name under /mnt/data."""


class FileRow(Row):
    __tablename__ = "files"
    __table_args__ = (Index(None, "sha256"),)

    filename: Mapped[str]
    purpose: Mapped[str]
    bytes: Mapped[int]
    sha256: Mapped[str]
    """Names the content; several files may share one."""
    expires_at: Mapped[int | None]


class VectorStoreRow(Row):
    __tablename__ = "vector_stores"
    __table_args__ = (Index(None, "expires_at"),)

    name: Mapped[str]
    description: Mapped[str | None]
    metadata_: Mapped[Json] = mapped_column("metadata")
    expires_after: Mapped[Json | None]
    expires_at: Mapped[int | None]
    last_active_at: Mapped[int]


class VectorStoreBatchRow(Row):
    __tablename__ = "vector_store_batches"
    __table_args__ = (Index(None, "vector_store_id"),)

    vector_store_id: Mapped[str] = mapped_column(ForeignKey("vector_stores.id", ondelete="CASCADE"))
    is_cancelled: Mapped[bool]


class VectorStoreFileRow(Row):
    """A file in a vector store; `id` is the file's own, so another store may have it too."""

    __tablename__ = "vector_store_files"
    __table_args__ = (
        Index(None, "vector_store_id", "id", unique=True),
        Index(None, "status", "position"),
        Index(None, "status", "batch_id", "position"),
        Index(None, "vector_store_id", "status"),
        Index(None, "batch_id"),
        Index(None, "id"),
        # A position names one file in one store for ever: whoever still works on it may tell.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[str] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"), sort_order=-2)
    vector_store_id: Mapped[str] = mapped_column(ForeignKey("vector_stores.id", ondelete="CASCADE"))
    batch_id: Mapped[str | None]
    status: Mapped[str]
    last_error: Mapped[Json | None]
    usage_bytes: Mapped[int]
    attributes: Mapped[Json]
    chunking_strategy: Mapped[Json]
    attempts: Mapped[int]
    """How often it was begun without coming to an end: a file may bring the server down."""
    embedder: Mapped[str | None]
    """The embedder that has dealt with it; until one has, keywords alone find it."""


class IndexRemovalRow(Base):
    """What the search index must still forget: a file of a store, or the whole store."""

    __tablename__ = "index_removals"

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    vector_store_id: Mapped[str]
    file_id: Mapped[str | None]


class ModelCallRow(Base):
    """One call of a model for a run. Times are Unix milliseconds."""

    __tablename__ = "model_calls"
    __table_args__ = (Index(None, "run_id", "position"),)

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    step_id: Mapped[str | None]
    """The step that the reply became; null when it broke off before saying anything."""
    model: Mapped[str]
    answered_by: Mapped[str | None]
    finish_reason: Mapped[str | None]
    started_ms: Mapped[int]
    first_token_ms: Mapped[int | None]
    ended_ms: Mapped[int]
    usage: Mapped[Json | None]
    error: Mapped[Json | None]
    request: Mapped[str] = mapped_column(Text)
    """The exact input as JSON text."""
    cost: Mapped[float | None]
    """US dollars, written when the run ends; null without a known price."""


class TraceDeliveryRow(Base):
    """A run whose trace a destination has taken, or never will."""

    __tablename__ = "trace_deliveries"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    destination: Mapped[str] = mapped_column(primary_key=True)
    delivered_at: Mapped[int]
    refusal: Mapped[str | None]
    """Why the destination does not take it, as a sentence; null when it arrived."""


class BatchRow(Row):
    """Extension: many prompts for one assistant, each run on a thread of its own."""

    __tablename__ = "prompt_batches"

    name: Mapped[str]
    assistant_id: Mapped[str]
    concurrency: Mapped[int]
    """How many of its runs may be at work at once."""
    cancelled_at: Mapped[int | None]


class BatchItemRow(Base):
    """One prompt of a batch. What became of it is its run's to say."""

    __tablename__ = "prompt_batch_items"
    __table_args__ = (Index(None, "batch_id", "number"), Index(None, "run_id"))

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    batch_id: Mapped[str] = mapped_column(ForeignKey("prompt_batches.id", ondelete="CASCADE"))
    number: Mapped[int]
    """From 1, in the order given."""
    prompt: Mapped[str] = mapped_column(Text)
    run_id: Mapped[str | None]
    """Null until it is its turn."""
    thread_id: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    """Why no run could be started."""


class EventRow(Base):
    """One line of a run's event log: the API's own event name and its payload as sent."""

    __tablename__ = "events"
    __table_args__ = (Index(None, "run_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str]
    name: Mapped[str]
    data: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[str]
    """The run, step or message that the event is about."""
    at_ms: Mapped[int]
