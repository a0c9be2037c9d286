"""Extensions of `/files/{id}`: where a quote stands, on the page or in the text."""

import asyncio
import json
from dataclasses import asdict
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import StringConstraints

from lib.api.dependencies import StudioDep
from lib.api.errors import ApiError
from lib.api.replies import json_reply
from lib.store.queries import find
from lib.store.tables import FileRow
from lib.store.vector_stores import store_that_holds
from lib.studio import Studio
from lib.tools.file_search.chunking import joined_text
from lib.tools.file_search.citations.surroundings import surroundings_of
from lib.tools.file_search.index.protocol import FileKey
from lib.tools.file_search.page_images.page_image import PageFailure
from lib.tools.file_search.parsing.document import ParseFailure
from lib.tools.file_search.parsing.parser import parse_file

router = APIRouter(tags=["Extensions"])

_MOST_QUOTES = 10
Quote = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


@router.get(
    "/files/{file_id}/pages/{page}",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "The page as an image."}},
)
async def retrieve_page(
    file_id: str,
    page: int,
    studio: StudioDep,
    quote: Annotated[list[Quote], Query(max_length=_MOST_QUOTES)] = [],  # noqa: B006
) -> Response:
    """A page of a PDF file, counted from 1, as a PNG image; quotes on it are highlighted.

    The header `X-Quote-Marked` tells how much of the quotes was found: whole, part or none.
    """
    row = await studio.store.read(lambda session: find(session, FileRow, file_id))
    try:
        image = await studio.pages.render(studio.blobs.path(row.sha256), page, quote)
    except PageFailure as failure:
        status = 404 if failure.code == "no_such_page" else 400
        raise ApiError(status, failure.reason, "page", failure.code) from None
    headers = {
        "X-Quote-Marked": image.marked,
        "X-Content-Type-Options": "nosniff",
        # A file's content never changes under its id.
        "Cache-Control": "private, max-age=3600",
    }
    return Response(image.png, media_type="image/png", headers=headers)


@router.get("/files/{file_id}/passage")
async def retrieve_passage(
    file_id: str, quote: Annotated[Quote, Query()], studio: StudioDep
) -> Response:
    """A quote with what stands around it in the text that was read out of the file."""
    row = await studio.store.read(lambda session: find(session, FileRow, file_id))
    text = await _text_of(studio, row)
    found = await asyncio.to_thread(surroundings_of, quote, text)
    if found is None:
        message = "The quote does not stand in the file."
        raise ApiError(404, message, "quote", "quote_not_found")
    passage = {"object": "file.passage", "file_id": file_id, **asdict(found)}
    return json_reply(json.dumps(passage, ensure_ascii=False))


async def _text_of(studio: Studio, row: FileRow) -> str:
    """As the index has it, else read anew: the store that was searched may be gone."""
    store_id = await studio.store.read(partial(store_that_holds, file_id=row.id))
    if store_id is not None:
        index = studio.ingestion.index
        chunks = await asyncio.to_thread(index.chunks, FileKey(store_id, row.id))
        if chunks:
            return joined_text(chunks)
    try:
        return (await parse_file(studio.blobs.path(row.sha256), row.filename)).text
    except ParseFailure as failure:
        raise ApiError(400, failure.reason, code=failure.code) from None
