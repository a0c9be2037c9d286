"""`/threads/{thread_id}/messages`: create, list, retrieve, modify, delete."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Discriminator, Field, Tag, field_validator
from sqlalchemy.orm import Session

from lib.api.bodies import Body, CodeInterpreterTool, Json, Metadata
from lib.api.dependencies import EngineDep, StoreDep
from lib.api.replies import Paging, deleted_reply, list_reply, object_reply
from lib.engine.messages import NewMessage, find_message
from lib.engine.messages import delete_message as delete_from_thread
from lib.store.queries import find, list_messages
from lib.store.tables import MessageRow

router = APIRouter(tags=["Messages"])

MAX_TEXT = 256_000
"""Characters in one text part, as the hosted API allowed."""

Detail = Literal["auto", "low", "high"]


class TextPartBody(Body):
    type: Literal["text"]
    text: str = Field(max_length=MAX_TEXT)


class ImageUrl(Body):
    url: str = Field(pattern=r"^(https?://[^\s/]|data:image/)")
    detail: Detail = "auto"


class ImageUrlPartBody(Body):
    type: Literal["image_url"]
    image_url: ImageUrl


class ImageFile(Body):
    file_id: str
    detail: Detail = "auto"


class ImageFilePartBody(Body):
    type: Literal["image_file"]
    image_file: ImageFile


Part = Annotated[TextPartBody | ImageUrlPartBody | ImageFilePartBody, Field(discriminator="type")]


class FileSearchTypeOnly(Body):
    type: Literal["file_search"]


class AttachmentBody(Body):
    file_id: str
    tools: list[
        Annotated[CodeInterpreterTool | FileSearchTypeOnly, Field(discriminator="type")]
    ] = Field(default_factory=list)


def _kind_of_content(value: object) -> str:
    return "parts" if isinstance(value, list) else "text"


Content = Annotated[
    Annotated[Annotated[str, Field(max_length=MAX_TEXT)], Tag("text")]
    | Annotated[Annotated[list[Part], Field(min_length=1)], Tag("parts")],
    Discriminator(_kind_of_content),
]


class MessageBody(Body):
    role: Literal["user", "assistant"]
    content: Content
    attachments: list[AttachmentBody] | None = None
    metadata: Metadata | None = None

    @field_validator("content")
    @classmethod
    def _is_not_empty(cls, content: str | list[Part]) -> str | list[Part]:
        if content == "":
            raise ValueError("Message content must be non-empty.")
        return content

    def as_new_message(self) -> NewMessage:
        return NewMessage(
            role=self.role,
            content=_content_as_json(self.content),
            attachments=[item.model_dump() for item in self.attachments or []],
            metadata=dict(self.metadata or {}),
        )


class NewMessageBody(MessageBody):
    when_busy: Literal["refuse", "queue"] | None = None
    """Extension: `queue` keeps a message sent during a run until that run has ended."""


class MetadataChanges(Body):
    metadata: Metadata | None = None


@router.post("/threads/{thread_id}/messages")
async def create_message(thread_id: str, body: NewMessageBody, engine: EngineDep) -> Response:
    queue = body.when_busy == "queue"
    return object_reply(await engine.add_message(thread_id, body.as_new_message(), queue))


@router.get("/threads/{thread_id}/messages")
async def get_messages(
    thread_id: str,
    paging: Paging,
    store: StoreDep,
    run_id: Annotated[str | None, Query()] = None,
) -> Response:
    return list_reply(
        await store.read(lambda session: list_messages(session, thread_id, run_id, paging))
    )


@router.get("/threads/{thread_id}/messages/{message_id}")
async def retrieve_message(thread_id: str, message_id: str, store: StoreDep) -> Response:
    return object_reply(
        await store.read(lambda session: find_message(session, thread_id, message_id))
    )


@router.post("/threads/{thread_id}/messages/{message_id}")
async def modify_message(
    thread_id: str, message_id: str, body: MetadataChanges, store: StoreDep
) -> Response:
    def modify(session: Session) -> MessageRow:
        row = find(session, MessageRow, message_id, thread_id=thread_id)
        if "metadata" in body.model_fields_set:
            row.metadata_ = body.metadata or {}
        return row

    return object_reply(await store.write(modify))


@router.delete("/threads/{thread_id}/messages/{message_id}")
async def delete_message(thread_id: str, message_id: str, store: StoreDep) -> Response:
    def delete(session: Session) -> None:
        delete_from_thread(session, thread_id, message_id)

    await store.write(delete)
    return deleted_reply(message_id, "thread.message")


def _content_as_json(content: str | list[Part]) -> list[Json]:
    if isinstance(content, str):
        return [_text_as_json(content)]
    return [
        _text_as_json(part.text) if isinstance(part, TextPartBody) else part.model_dump()
        for part in content
    ]


def _text_as_json(text: str) -> Json:
    return {"type": "text", "text": {"value": text, "annotations": []}}
