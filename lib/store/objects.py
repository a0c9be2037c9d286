"""Rows as the API's own objects.

Every object is built as the openai SDK's type, so its shape is the one that clients parse.
"""

from typing import Any

from openai.types import FileObject, VectorStore
from openai.types.beta import Assistant, Thread
from openai.types.beta.threads import Message, Run
from openai.types.beta.threads.runs import RunStep
from openai.types.vector_stores import VectorStoreFile, VectorStoreFileBatch
from pydantic import BaseModel

from lib.store.tables import (
    ACTIVE_STATUSES,
    AssistantRow,
    FileRow,
    MessageRow,
    Row,
    RunRow,
    StepRow,
    ThreadRow,
    VectorStoreBatchRow,
    VectorStoreFileRow,
    VectorStoreRow,
)


def to_json(row: Row, **extra: Any) -> str:
    """The object of any row as JSON text, with extension fields added where given."""
    return as_object(row, **extra).model_dump_json(by_alias=True, exclude_unset=True)


def to_dict(row: Row, **extra: Any) -> dict[str, Any]:
    return as_object(row, **extra).model_dump(mode="json", by_alias=True, exclude_unset=True)


def as_object(row: Row, **extra: Any) -> BaseModel:
    match row:
        case RunRow():
            return run_object(row, **extra)
        case MessageRow():
            return message_object(row)
        case StepRow():
            return step_object(row, **extra)
        case ThreadRow():
            return thread_object(row, **extra)
        case AssistantRow():
            return assistant_object(row)
        case FileRow():
            return file_object(row)
        case VectorStoreRow():
            return vector_store_object(row, **extra)
        case VectorStoreFileRow():
            return vector_store_file_object(row)
        case VectorStoreBatchRow():
            return vector_store_batch_object(row, **extra)
    raise TypeError(f"no API object for {type(row).__name__}")


def assistant_object(row: AssistantRow) -> Assistant:
    extension = (
        {} if row.run_expires_after is None else {"run_expires_after": row.run_expires_after}
    )
    return Assistant.model_validate(
        {
            "id": row.id,
            "object": "assistant",
            "created_at": row.created_at,
            "name": row.name,
            "description": row.description,
            "model": row.model,
            "instructions": row.instructions,
            "tools": row.tools,
            "tool_resources": row.tool_resources,
            "metadata": row.metadata_,
            "temperature": row.temperature,
            "top_p": row.top_p,
            "response_format": row.response_format,
            "reasoning_effort": row.reasoning_effort,
            **extension,
        }
    )


def thread_object(row: ThreadRow, **extra: Any) -> Thread:
    return Thread.model_validate(
        {
            "id": row.id,
            "object": "thread",
            "created_at": row.created_at,
            "metadata": row.metadata_,
            "tool_resources": row.tool_resources,
            **extra,
        }
    )


def message_object(row: MessageRow) -> Message:
    return Message.model_validate(
        {
            "id": row.id,
            "object": "thread.message",
            "created_at": row.created_at,
            "assistant_id": row.assistant_id,
            "thread_id": row.thread_id,
            "run_id": row.run_id,
            "role": row.role,
            "status": row.status,
            "content": row.content,
            "attachments": row.attachments,
            "metadata": row.metadata_,
            "completed_at": row.completed_at,
            "incomplete_at": row.incomplete_at,
            "incomplete_details": row.incomplete_details,
        }
    )


def run_object(row: RunRow, **extra: Any) -> Run:
    is_active = row.status in ACTIVE_STATUSES
    return Run.model_validate(
        {
            "id": row.id,
            "object": "thread.run",
            "created_at": row.created_at,
            "assistant_id": row.assistant_id,
            "thread_id": row.thread_id,
            "status": row.status,
            "started_at": row.started_at,
            "expires_at": row.expires_at if is_active else None,
            "cancelled_at": row.cancelled_at,
            "failed_at": row.failed_at,
            "completed_at": row.completed_at,
            "required_action": row.required_action,
            "last_error": row.last_error,
            "incomplete_details": row.incomplete_details,
            "model": row.model,
            "instructions": row.instructions,
            "tools": row.tools,
            "tool_resources": {},
            "metadata": row.metadata_,
            "temperature": row.temperature,
            "top_p": row.top_p,
            "reasoning_effort": row.reasoning_effort,
            "max_prompt_tokens": row.max_prompt_tokens,
            "max_completion_tokens": row.max_completion_tokens,
            "truncation_strategy": row.truncation_strategy,
            "response_format": row.response_format,
            "tool_choice": row.tool_choice,
            "parallel_tool_calls": row.parallel_tool_calls,
            "usage": None if is_active else row.usage,
            **extra,
        }
    )


def step_object(row: StepRow, with_result_content: bool = False) -> RunStep:
    """The step. What file_search found is told in full only where a client asks for it."""
    details = row.step_details
    if not with_result_content:
        details = without_result_content(details)
    return RunStep.model_validate(
        {
            "id": row.id,
            "object": "thread.run.step",
            "created_at": row.created_at,
            "run_id": row.run_id,
            "assistant_id": row.assistant_id,
            "thread_id": row.thread_id,
            "type": row.type,
            "status": row.status,
            "cancelled_at": row.cancelled_at,
            "completed_at": row.completed_at,
            "expired_at": row.expired_at,
            "failed_at": row.failed_at,
            "last_error": row.last_error,
            "step_details": details,
            "usage": row.usage,
            "metadata": row.metadata_,
        }
    )


def file_object(row: FileRow) -> FileObject:
    return FileObject.model_validate(
        {
            "id": row.id,
            "object": "file",
            "bytes": row.bytes,
            "created_at": row.created_at,
            "expires_at": row.expires_at,
            "filename": row.filename,
            "purpose": row.purpose,
            "status": "processed",
            "status_details": None,
        }
    )


def without_result_content(details: dict[str, Any]) -> dict[str, Any]:
    """Step details, of a step or of a delta, without the text of file_search's results."""
    calls = details.get("tool_calls")
    if not calls:
        return details
    return {**details, "tool_calls": [_without_content(call) for call in calls]}


def _without_content(call: dict[str, Any]) -> dict[str, Any]:
    results = (call.get("file_search") or {}).get("results")
    if not results:
        return call
    shown = [{name: result[name] for name in result if name != "content"} for result in results]
    return {**call, "file_search": {**call["file_search"], "results": shown}}


def vector_store_object(
    row: VectorStoreRow, file_counts: dict[str, int], usage_bytes: int, is_expired: bool
) -> VectorStore:
    status = "in_progress" if file_counts["in_progress"] else "completed"
    extension = {} if row.description is None else {"description": row.description}
    return VectorStore.model_validate(
        {
            "id": row.id,
            "object": "vector_store",
            "created_at": row.created_at,
            "name": row.name,
            "usage_bytes": usage_bytes,
            "file_counts": file_counts,
            "status": "expired" if is_expired else status,
            "expires_after": row.expires_after,
            "expires_at": row.expires_at,
            "last_active_at": row.last_active_at,
            "metadata": row.metadata_,
            **extension,
        }
    )


def vector_store_file_object(row: VectorStoreFileRow) -> VectorStoreFile:
    return VectorStoreFile.model_validate(
        {
            "id": row.id,
            "object": "vector_store.file",
            "created_at": row.created_at,
            "vector_store_id": row.vector_store_id,
            "status": row.status,
            "last_error": row.last_error,
            "usage_bytes": row.usage_bytes,
            "chunking_strategy": row.chunking_strategy,
            "attributes": row.attributes,
        }
    )


def vector_store_batch_object(
    row: VectorStoreBatchRow, file_counts: dict[str, int]
) -> VectorStoreFileBatch:
    status = "in_progress" if file_counts["in_progress"] else "completed"
    return VectorStoreFileBatch.model_validate(
        {
            "id": row.id,
            "object": "vector_store.files_batch",
            "created_at": row.created_at,
            "vector_store_id": row.vector_store_id,
            "status": "cancelled" if row.is_cancelled else status,
            "file_counts": file_counts,
        }
    )
