"""`/threads/{thread_id}/runs/{run_id}/steps`: list, retrieve."""

from fastapi import APIRouter, Response

from lib.api.dependencies import StoreDep
from lib.api.replies import Paging, list_reply, object_reply
from lib.store.queries import find, list_steps
from lib.store.tables import StepRow

router = APIRouter(tags=["Run steps"])


@router.get("/threads/{thread_id}/runs/{run_id}/steps")
async def get_steps(thread_id: str, run_id: str, paging: Paging, store: StoreDep) -> Response:
    return list_reply(
        await store.read(lambda session: list_steps(session, thread_id, run_id, paging))
    )


@router.get("/threads/{thread_id}/runs/{run_id}/steps/{step_id}")
async def retrieve_step(thread_id: str, run_id: str, step_id: str, store: StoreDep) -> Response:
    return object_reply(
        await store.read(
            lambda session: find(session, StepRow, step_id, thread_id=thread_id, run_id=run_id)
        )
    )
