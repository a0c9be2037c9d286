"""`/files`: create, list, retrieve, delete, content."""

import asyncio
import json
import mimetypes
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse

from lib.api.body_limit import MAX_FILE_BYTES
from lib.api.dependencies import StoreDep, StudioDep
from lib.api.errors import TOO_LARGE_CODE, ApiError
from lib.api.replies import Order, json_reply, list_reply, object_reply
from lib.engine.clock import now
from lib.store.files import add_file, delete_file, drop_unused, list_files
from lib.store.ids import new_id
from lib.store.paging import PageRequest
from lib.store.queries import find
from lib.store.tables import FileRow

router = APIRouter(tags=["Files"])

_MOST_LISTED = 10_000
_DAY = 24 * 3600
_BATCH_FILES_EXPIRE_AFTER = 30 * _DAY

Purpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]


@router.post("/files")
async def create_file(
    studio: StudioDep,
    request: Request,
    file: Annotated[UploadFile, File()],
    purpose: Annotated[Purpose, Form()],
) -> Response:
    if file.size is not None and file.size > MAX_FILE_BYTES:
        raise ApiError(
            413,
            f"The file has {file.size:,} bytes; a file may have at most {MAX_FILE_BYTES:,}.",
            "file",
            TOO_LARGE_CODE,
        )
    form = await request.form()
    created_at = now()
    expires_at = _expires_at(
        created_at, purpose, form.get("expires_after[anchor]"), form.get("expires_after[seconds]")
    )
    received = await asyncio.to_thread(studio.blobs.receive, file.file)
    row = FileRow(
        id=new_id("file-"),
        created_at=created_at,
        filename=_base_name(file.filename),
        purpose=purpose,
        bytes=received.size,
        sha256=received.sha256,
        expires_at=expires_at,
    )
    await studio.store.write(lambda session: add_file(session, studio.blobs, received, row))
    return object_reply(row)


@router.get("/files")
async def get_files(
    store: StoreDep,
    purpose: Annotated[str | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = _MOST_LISTED,
    order: Order = "desc",
    after: Annotated[str | None, Query()] = None,
) -> Response:
    page = PageRequest(limit, order, after or None)
    return list_reply(await store.read(lambda session: list_files(session, purpose, page)))


@router.get("/files/{file_id}")
async def retrieve_file(file_id: str, store: StoreDep) -> Response:
    return object_reply(await store.read(lambda session: find(session, FileRow, file_id)))


@router.delete("/files/{file_id}")
async def delete(file_id: str, studio: StudioDep) -> Response:
    sha256 = await studio.store.write(lambda session: delete_file(session, file_id))
    studio.ingestion.let_go(lambda job: job.file_id == file_id)
    await studio.store.write(lambda session: drop_unused(session, studio.blobs, sha256))
    return json_reply(json.dumps({"id": file_id, "object": "file", "deleted": True}))


@router.get("/files/{file_id}/content")
async def retrieve_content(file_id: str, studio: StudioDep) -> Response:
    row = await studio.store.read(lambda session: find(session, FileRow, file_id))
    media_type, _ = mimetypes.guess_type(row.filename)
    return FileResponse(
        studio.blobs.path(row.sha256),
        media_type=media_type or "application/octet-stream",
        filename=row.filename,
        # Never shown in place: an uploaded page must not run as one of ours.
        content_disposition_type="attachment",
        headers={"X-Content-Type-Options": "nosniff"},
    )


def _base_name(filename: str | None) -> str:
    """The name without path parts and control characters, as short as file systems want it."""
    name = (filename or "").replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(char for char in name if char.isprintable())[-255:] or "file"


def _expires_at(created_at: int, purpose: str, anchor: object, seconds: object) -> int | None:
    if anchor is None and seconds is None:
        return created_at + _BATCH_FILES_EXPIRE_AFTER if purpose == "batch" else None
    if anchor != "created_at":
        message = f"Invalid value: '{anchor}'. Supported values are: 'created_at'."
        raise ApiError(400, message, "expires_after.anchor", "invalid_value")
    if not isinstance(seconds, str) or not seconds.isdecimal():
        message = "Invalid type for 'expires_after.seconds': expected an integer."
        raise ApiError(400, message, "expires_after.seconds", "invalid_type")
    if not 3600 <= int(seconds) <= 30 * _DAY:
        message = f"Invalid 'expires_after.seconds': expected 3600 to {30 * _DAY}, got {seconds}."
        raise ApiError(400, message, "expires_after.seconds", "invalid_value")
    return created_at + int(seconds)
