from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.contract.comparison import RECORDED, differences

QUESTION = RECORDED["message"]["content"][0]["text"]["value"]


def test_a_new_message_has_the_recorded_fields_and_defaults(client: OpenAI, thread_id: str) -> None:
    message = client.beta.threads.messages.create(thread_id, role="user", content=QUESTION)

    assert differences(message, RECORDED["message"]) == []
    assert message.status == "completed"


def test_every_kind_of_part_and_attachment_is_kept(client: OpenAI, thread_id: str) -> None:
    file_id = client.files.create(file=("a.txt", b"A"), purpose="assistants").id
    attachments: Any = [
        {"file_id": file_id, "tools": [{"type": "code_interpreter"}, {"type": "file_search"}]}
    ]
    message = client.beta.threads.messages.create(
        thread_id,
        role="user",
        content=[
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            {"type": "image_file", "image_file": {"file_id": "file-2", "detail": "low"}},
        ],
        attachments=attachments,
        metadata={"source": "test"},
    )

    retrieved = client.beta.threads.messages.retrieve(message.id, thread_id=thread_id).to_dict()
    assert retrieved["content"] == [
        {"type": "text", "text": {"value": "What is this?", "annotations": []}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "auto"}},
        {"type": "image_file", "image_file": {"file_id": "file-2", "detail": "low"}},
    ]
    assert retrieved["attachments"] == attachments
    assert retrieved["metadata"] == {"source": "test"}


@pytest.mark.parametrize(
    "text",
    [
        "\x00 and \x01 in the middle",
        "😀 ‮ right to left ﷽",
        "line\u2028separator\r\n\ttab",
        "</script> {{ braces }} %s ' \" \\",
        "x" * 256_000,
    ],
    ids=["NUL", "emoji", "separators", "markup", "longest"],
)
def test_any_text_comes_back_as_it_was_sent(client: OpenAI, thread_id: str, text: str) -> None:
    message = client.beta.threads.messages.create(thread_id, role="user", content=text)

    retrieved = client.beta.threads.messages.retrieve(message.id, thread_id=thread_id)

    assert retrieved.content[0].to_dict()["text"] == {"value": text, "annotations": []}


def test_only_the_metadata_of_a_message_changes(client: OpenAI, thread_id: str) -> None:
    message = client.beta.threads.messages.create(thread_id, role="user", content="Hello")

    updated = client.beta.threads.messages.update(
        message.id, thread_id=thread_id, metadata={"read": "yes"}
    )

    assert updated.to_dict() == message.to_dict() | {"metadata": {"read": "yes"}}


def test_a_deleted_message_is_gone(client: OpenAI, thread_id: str) -> None:
    message = client.beta.threads.messages.create(thread_id, role="user", content="Hello")

    deleted = client.beta.threads.messages.delete(message.id, thread_id=thread_id)

    assert deleted.object == "thread.message.deleted" and deleted.deleted
    assert client.beta.threads.messages.list(thread_id).data == []
    with pytest.raises(NotFoundError, match=rf"No message found with id '{message.id}'\."):
        client.beta.threads.messages.retrieve(message.id, thread_id=thread_id)


def test_a_message_is_found_in_its_own_thread_only(client: OpenAI, thread_id: str) -> None:
    message = client.beta.threads.messages.create(thread_id, role="user", content="Hello")
    elsewhere = client.beta.threads.create()

    with pytest.raises(NotFoundError):
        client.beta.threads.messages.retrieve(message.id, thread_id=elsewhere.id)
    with pytest.raises(NotFoundError):
        client.beta.threads.messages.delete(message.id, thread_id=elsewhere.id)


def test_messages_are_listed_newest_first_with_the_recorded_fields(
    client: OpenAI, thread_id: str
) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o-mini")
    client.beta.threads.messages.create(thread_id, role="user", content=QUESTION)
    client.beta.threads.runs.create_and_poll(
        thread_id=thread_id, assistant_id=assistant.id, poll_interval_ms=10
    )

    page = client.beta.threads.messages.list(thread_id)

    recorded = RECORDED["messages"]
    text = page.data[0].content[0].to_dict()["text"]["value"]  # type: ignore[index]
    assert text == "Hello from the model."
    recorded["data"][0]["content"][0]["text"]["value"] = text
    assert differences(page, recorded) == []


def test_the_messages_of_one_run_are_listed(client: OpenAI, thread_id: str) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o-mini")
    client.beta.threads.messages.create(thread_id, role="user", content=QUESTION)
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread_id, assistant_id=assistant.id, poll_interval_ms=10
    )
    client.beta.threads.messages.create(thread_id, role="user", content="Thank you!")

    page = client.beta.threads.messages.list(thread_id, run_id=run.id)

    assert [message.run_id for message in page.data] == [run.id]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"role": "user"}, "content", "missing_required_parameter"),
        ({"content": "x"}, "role", "missing_required_parameter"),
        ({"role": "system", "content": "x"}, "role", "invalid_value"),
        ({"role": "user", "content": ""}, "content", "invalid_value"),
        ({"role": "user", "content": []}, "content", "array_below_min_length"),
        ({"role": "user", "content": None}, "content", "invalid_type"),
        ({"role": "user", "content": 5}, "content", "invalid_type"),
        ({"role": "user", "content": "x" * 256_001}, "content", "string_above_max_length"),
        ({"role": "user", "content": ["x"]}, "content[0]", "invalid_type"),
        (
            {"role": "user", "content": [{"text": "x"}]},
            "content[0].type",
            "missing_required_parameter",
        ),
        ({"role": "user", "content": [{"type": "video"}]}, "content[0].type", "invalid_value"),
        (
            {"role": "user", "content": [{"type": "text"}]},
            "content[0].text",
            "missing_required_parameter",
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": 1}}]},
            "content[0].image_url.url",
            "invalid_type",
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a.png"}}]},
            "content[0].image_url.url",
            "invalid_value",
        ),
        (
            {"role": "user", "content": "x", "attachments": [{"tools": []}]},
            "attachments[0].file_id",
            "missing_required_parameter",
        ),
        (
            {"role": "user", "content": "x", "metadata": {"k" * 65: "v"}},
            f"metadata.{'k' * 65}",
            "string_above_max_length",
        ),
        (
            {"role": "user", "content": "x", "metadata": {"k": "v" * 513}},
            "metadata.k",
            "string_above_max_length",
        ),
        (
            {"role": "user", "content": "x", "metadata": {str(n): "" for n in range(17)}},
            "metadata",
            "object_above_max_length",
        ),
        ({"role": "user", "content": "x", "metadata": {"k": 1}}, "metadata.k", "invalid_type"),
    ],
)
def test_an_invalid_message_is_refused_with_the_field_and_a_code(
    client: OpenAI, thread_id: str, body: dict[str, Any], param: str, code: str
) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.post(f"/threads/{thread_id}/messages", body=body, cast_to=object)

    assert (caught.value.param, caught.value.code) == (param, code)
    assert caught.value.type == "invalid_request_error"
    assert client.beta.threads.messages.list(thread_id).data == []


def test_a_message_for_an_unknown_thread_is_refused(client: OpenAI) -> None:
    with pytest.raises(NotFoundError, match=r"No thread found with id 'thread_unknown'\."):
        client.beta.threads.messages.create("thread_unknown", role="user", content="Hello")
