"""`/threads/{thread_id}/runs/{run_id}/steps`: list, retrieve."""

from functools import partial

from fastapi import APIRouter, Response

from lib.api.dependencies import StoreDep, WithResultContent
from lib.api.replies import Paging, json_reply, list_reply
from lib.store.objects import to_json
from lib.store.queries import find, list_steps
from lib.store.tables import StepRow

router = APIRouter(tags=["Run steps"])


@router.get("/threads/{thread_id}/runs/{run_id}/steps")
async def get_steps(
    thread_id: str, run_id: str, paging: Paging, store: StoreDep, with_content: WithResultContent
) -> Response:
    page = await store.read(lambda session: list_steps(session, thread_id, run_id, paging))
    return list_reply(page, partial(to_json, with_result_content=with_content))


@router.get("/threads/{thread_id}/runs/{run_id}/steps/{step_id}")
async def retrieve_step(
    thread_id: str, run_id: str, step_id: str, store: StoreDep, with_content: WithResultContent
) -> Response:
    row = await store.read(
        lambda session: find(session, StepRow, step_id, thread_id=thread_id, run_id=run_id)
    )
    return json_reply(to_json(row, with_result_content=with_content))
