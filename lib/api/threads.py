"""`/threads`: create, list, retrieve, modify, delete."""

from typing import Annotated

from fastapi import APIRouter, Response
from fastapi import Body as FromBody
from sqlalchemy.orm import Session

from lib.api.bodies import Body, Metadata, ToolResources, resources_as_json
from lib.api.dependencies import EngineDep, StoreDep
from lib.api.messages import MessageBody
from lib.api.replies import Paging, deleted_reply, list_reply, object_reply
from lib.engine.messages import add_thread
from lib.engine.vector_stores import THREAD_STORE_EXPIRES_AFTER, resolve_resources
from lib.store.objects import to_json
from lib.store.queries import find, list_threads
from lib.store.run_queries import title_of
from lib.store.tables import ThreadRow

router = APIRouter(tags=["Threads"])


class NewThread(Body):
    messages: list[MessageBody] | None = None
    metadata: Metadata | None = None
    tool_resources: ToolResources | None = None


class ThreadChanges(Body):
    metadata: Metadata | None = None
    tool_resources: ToolResources | None = None


@router.post("/threads")
async def create_thread(
    store: StoreDep, body: Annotated[NewThread | None, FromBody()] = None
) -> Response:
    new = body or NewThread()
    messages = [message.as_new_message() for message in new.messages or []]
    asked = resources_as_json(new.tool_resources)

    def create(session: Session) -> ThreadRow:
        resources = resolve_resources(session, asked, THREAD_STORE_EXPIRES_AFTER)
        return add_thread(session, dict(new.metadata or {}), resources, messages)

    return object_reply(await store.write(create))


@router.get("/threads", tags=["Extensions"])
async def get_threads(paging: Paging, store: StoreDep) -> Response:
    """Extension: all threads, each with `title` and `last_active_at`."""
    page = await store.read(lambda session: list_threads(session, paging))
    return list_reply(page, _listed)


@router.get("/threads/{thread_id}")
async def retrieve_thread(thread_id: str, store: StoreDep) -> Response:
    return object_reply(await store.read(lambda session: find(session, ThreadRow, thread_id)))


@router.post("/threads/{thread_id}")
async def modify_thread(thread_id: str, body: ThreadChanges, store: StoreDep) -> Response:
    def modify(session: Session) -> ThreadRow:
        row = find(session, ThreadRow, thread_id)
        if "metadata" in body.model_fields_set:
            row.metadata_ = dict(body.metadata or {})
        if "tool_resources" in body.model_fields_set:
            asked = resources_as_json(body.tool_resources)
            resources = resolve_resources(session, asked, THREAD_STORE_EXPIRES_AFTER)
            row.tool_resources = {**row.tool_resources, **resources}
        return row

    return object_reply(await store.write(modify))


@router.delete("/threads/{thread_id}")
async def delete_thread(thread_id: str, engine: EngineDep) -> Response:
    await engine.delete_thread(thread_id)
    return deleted_reply(thread_id, "thread")


def _listed(row: ThreadRow) -> str:
    return to_json(row, title=title_of(row), last_active_at=row.last_active_at)
