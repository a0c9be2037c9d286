"""A run's draft, an extension: what was typed into its forms and not submitted yet."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field, field_validator
from sqlalchemy.orm import Session

from lib.api.bodies import Body
from lib.api.dependencies import StoreDep
from lib.api.replies import json_reply
from lib.store.queries import find
from lib.store.tables import Json, RunDraftRow, RunRow

router = APIRouter(tags=["Extensions"])

_LONGEST_VALUE = 1_000_000


class DraftChanges(Body):
    """Values by keys of the client's own. A null takes a key out; keys not named stay."""

    values: Annotated[dict[str, Any], Field(max_length=1000)]

    @field_validator("values")
    @classmethod
    def _is_not_too_long(cls, values: dict[str, Any]) -> dict[str, Any]:
        for key, value in values.items():
            if len(key) + len(json.dumps(value)) > _LONGEST_VALUE:
                raise ValueError(f"A value of a draft may have {_LONGEST_VALUE} characters.")
        return values


@router.get("/threads/{thread_id}/runs/{run_id}/draft")
async def retrieve_draft(thread_id: str, run_id: str, store: StoreDep) -> Response:
    """Extension: the values typed so far; none is an empty object."""

    def read(session: Session) -> Json:
        find(session, RunRow, run_id, thread_id=thread_id)
        row = session.get(RunDraftRow, run_id)
        return row.values if row else {}

    return _reply(await store.read(read))


@router.post("/threads/{thread_id}/runs/{run_id}/draft")
async def modify_draft(
    thread_id: str, run_id: str, body: DraftChanges, store: StoreDep
) -> Response:
    """Extension: keep what is being typed, so that it outlives the page and the server."""

    def modify(session: Session) -> Json:
        find(session, RunRow, run_id, thread_id=thread_id)
        row = session.get(RunDraftRow, run_id) or RunDraftRow(run_id=run_id, values={})
        changed = {**row.values, **body.values}
        row.values = {key: value for key, value in changed.items() if value is not None}
        session.add(row)
        return row.values

    return _reply(await store.write(modify))


def _reply(values: Json) -> Response:
    return json_reply(json.dumps({"object": "thread.run.draft", "values": values}))
