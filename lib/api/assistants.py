"""`/assistants`: create, list, retrieve, modify, delete."""

from typing import Any

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy.orm import Session

from lib.api.bodies import (
    Body,
    Instructions,
    Metadata,
    ReasoningEffort,
    ResponseFormat,
    SecondsToExpire,
    Temperature,
    Tool,
    ToolResources,
    TopP,
    format_as_json,
    resources_as_json,
    tools_as_json,
)
from lib.api.dependencies import StoreDep
from lib.api.replies import Paging, deleted_reply, list_reply, object_reply
from lib.engine.clock import now
from lib.engine.vector_stores import resolve_resources
from lib.store.ids import new_id
from lib.store.queries import find, list_assistants
from lib.store.tables import AssistantRow, Json

router = APIRouter(tags=["Assistants"])


class AssistantFields(Body):
    """What can be set at any time. A field that is left out keeps its value."""

    name: str | None = Field(default=None, max_length=256)
    description: str | None = Field(default=None, max_length=512)
    instructions: Instructions | None = None
    tools: list[Tool] | None = Field(default=None, max_length=128)
    tool_resources: ToolResources | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: ReasoningEffort | None = None
    run_expires_after: SecondsToExpire | None = None


class NewAssistant(AssistantFields):
    model: str = Field(min_length=1, max_length=256)


class AssistantChanges(AssistantFields):
    model: str | None = Field(default=None, min_length=1, max_length=256)


@router.post("/assistants")
async def create_assistant(body: NewAssistant, store: StoreDep) -> Response:
    row = AssistantRow(
        id=new_id("asst_"),
        created_at=now(),
        tools=[],
        tool_resources={},
        metadata_={},
        temperature=1.0,
        top_p=1.0,
        response_format="auto",
    )

    def create(session: Session) -> AssistantRow:
        _apply(session, row, body)
        session.add(row)
        return row

    return object_reply(await store.write(create))


@router.get("/assistants")
async def get_assistants(paging: Paging, store: StoreDep) -> Response:
    return list_reply(await store.read(lambda session: list_assistants(session, paging)))


@router.get("/assistants/{assistant_id}")
async def retrieve_assistant(assistant_id: str, store: StoreDep) -> Response:
    return object_reply(await store.read(lambda session: find(session, AssistantRow, assistant_id)))


@router.post("/assistants/{assistant_id}")
async def modify_assistant(assistant_id: str, body: AssistantChanges, store: StoreDep) -> Response:
    def modify(session: Session) -> AssistantRow:
        row = find(session, AssistantRow, assistant_id)
        _apply(session, row, body)
        return row

    return object_reply(await store.write(modify))


@router.delete("/assistants/{assistant_id}")
async def delete_assistant(assistant_id: str, store: StoreDep) -> Response:
    def delete(session: Session) -> None:
        session.delete(find(session, AssistantRow, assistant_id))

    await store.write(delete)
    return deleted_reply(assistant_id, "assistant")


def _apply(session: Session, row: AssistantRow, body: AssistantFields) -> None:
    for name in body.model_fields_set - {"tool_resources"}:
        _set(row, name, getattr(body, name))
    asked = resolve_resources(session, resources_as_json(body.tool_resources), None)
    row.tool_resources = {**row.tool_resources, **asked}
    row.tool_resources = _with_sections(row.tool_resources, row.tools)


def _set(row: AssistantRow, name: str, value: Any) -> None:
    """Set one field as sent; a null gives the default back where the API has one."""
    match name:
        case "model":
            row.model = value or row.model
        case "tools":
            row.tools = tools_as_json(value or [])
        case "metadata":
            row.metadata_ = value or {}
        case "temperature" | "top_p":
            setattr(row, name, 1.0 if value is None else value)
        case "response_format":
            row.response_format = format_as_json(value) or "auto"
        case _:
            setattr(row, name, value)


def _with_sections(resources: Json, tools: list[Json]) -> Json:
    """Every tool with files of its own has a section, as soon as it is switched on."""
    kinds = {tool["type"] for tool in tools}
    sections: Json = {}
    if "code_interpreter" in kinds:
        sections["code_interpreter"] = {"file_ids": []}
    if "file_search" in kinds:
        sections["file_search"] = {"vector_store_ids": []}
    return {**sections, **resources}
