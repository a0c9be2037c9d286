"""Extensions: export, import and fork."""

import asyncio
import json
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi import Body as FromBody
from sqlalchemy.orm import Session

from lib.api.bodies import Body, Metadata
from lib.api.dependencies import StoreDep, StudioDep
from lib.api.errors import ApiError
from lib.api.replies import json_reply, object_reply
from lib.engine.transfer import ImportReport, export_thread, fork_thread, import_objects
from lib.masking import mask
from lib.observability.pricing import Prices
from lib.settings import OPENAI_BASE_URL, Settings
from lib.store.queries import find
from lib.store.tables import ThreadRow

router = APIRouter(tags=["Extensions"])

_ANY_JSON = {
    "requestBody": {
        "description": "JSON objects as the API returns them: one, an array, a list's envelope, "
        "an export, or one object a line.",
        "content": {"application/json": {"schema": {}}, "application/jsonl": {"schema": {}}},
        "required": True,
    }
}


class Fork(Body):
    message_id: str | None = None
    """The last message that the fork keeps; all of them when left out."""
    metadata: Metadata | None = None


@router.get("/threads/{thread_id}/export")
async def export(thread_id: str, studio: StudioDep) -> Response:
    """A thread with all its messages, runs and steps as one JSON object; keys in it are masked."""
    exported = await studio.store.read(lambda session: export_thread(session, thread_id))
    text = json.dumps(exported, ensure_ascii=False)
    reply = json_reply(mask(text, studio.settings.secrets()))
    reply.headers["Content-Disposition"] = f'attachment; filename="{thread_id}.json"'
    return reply


@router.post("/threads/import", openapi_extra=_ANY_JSON)
async def import_thread(request: Request, studio: StudioDep) -> Response:
    """Bring one exported thread in; under new ids where its own are taken. Returns the thread."""
    objects = _parse(await request.body())
    prices = await _prices(studio.settings)

    def bring_in(session: Session) -> ThreadRow:
        report = import_objects(session, objects, rename_taken=True, prices=prices)
        if len(report.threads) != 1:
            raise ApiError(400, _why_no_thread(report))
        return find(session, ThreadRow, report.threads[0])

    return object_reply(await studio.store.write(bring_in))


@router.post("/import", openapi_extra=_ANY_JSON)
async def import_all(request: Request, studio: StudioDep) -> Response:
    """Bring in assistants, threads, messages, runs and steps that the hosted API returned.

    Ids are kept. What is here already, or cannot be used, is skipped and listed with the reason.
    """
    objects = _parse(await request.body())
    prices = await _prices(studio.settings)
    report = await studio.store.write(
        lambda session: import_objects(session, objects, rename_taken=False, prices=prices)
    )
    return json_reply(json.dumps({"object": "import", **asdict(report)}))


@router.post("/threads/{thread_id}/fork")
async def fork(
    thread_id: str, store: StoreDep, body: Annotated[Fork | None, FromBody()] = None
) -> Response:
    """A new thread with copies of the messages up to and including `message_id`."""
    wanted = body or Fork()
    row = await store.write(
        lambda session: fork_thread(
            session, thread_id, wanted.message_id, dict(wanted.metadata or {})
        )
    )
    return object_reply(row)


async def _prices(settings: Settings) -> Prices:
    """What runs cost that were made elsewhere: the list's prices, not those of our endpoint."""
    prices = Prices(settings.model_prices, OPENAI_BASE_URL)
    # Not while the store is being written to: reading the list takes a while.
    await asyncio.to_thread(prices.load)
    return prices


def _parse(body: bytes) -> list[Any]:
    """The objects of a JSON document, or of a document with one object a line."""
    text = body.decode("utf-8-sig", errors="replace").strip()
    try:
        return [json.loads(text)]
    except ValueError:
        pass
    objects: list[Any] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            objects.append(json.loads(line))
        except ValueError as error:
            raise ApiError(
                400,
                f"Line {number} of what was sent is not valid JSON. Send one JSON document, or "
                "one object a line.",
            ) from error
    if not objects:
        raise ApiError(400, "Nothing was sent. Send one JSON document, or one object a line.")
    return objects


def _why_no_thread(report: ImportReport) -> str:
    if report.threads:
        return "This holds several threads. Send them to /v1/import."
    if report.skipped:
        return f"No thread could be imported. {report.skipped[0]['reason']}"
    return "This holds no thread."
