from typing import Any

import pytest
from openai import NotFoundError, OpenAI
from openai.types.beta import Assistant

from tests.contract.comparison import RECORDED, differences
from tests.servers import ThreadServer

DISPLAY_QUIZ: Any = {
    name: value
    for name, value in RECORDED["assistant_with_function"]["tools"][1]["function"].items()
    if name != "strict"
}


def create_tutor(client: OpenAI) -> Assistant:
    return client.beta.assistants.create(
        name="Math Tutor",
        instructions=RECORDED["assistant"]["instructions"],
        model="gpt-4o-mini",
    )


def test_a_new_assistant_has_the_recorded_fields_and_defaults(client: OpenAI) -> None:
    assistant = create_tutor(client)

    assert differences(assistant, RECORDED["assistant"]) == []


def test_switching_code_interpreter_on_gives_it_a_section_for_files(client: OpenAI) -> None:
    assistant = create_tutor(client)

    updated = client.beta.assistants.update(assistant.id, tools=[{"type": "code_interpreter"}])

    assert differences(updated, RECORDED["assistant_with_code_interpreter"]) == []


def test_a_function_gets_strict_false_and_files_set_before_stay(client: OpenAI) -> None:
    assistant = create_tutor(client)
    files = ["file-Mj5PeMjX8z59R58wJNQZGM"]
    client.beta.assistants.update(
        assistant.id,
        tools=[{"type": "code_interpreter"}],
        tool_resources={"code_interpreter": {"file_ids": files}},
    )

    updated = client.beta.assistants.update(
        assistant.id,
        tools=[{"type": "code_interpreter"}, {"type": "function", "function": DISPLAY_QUIZ}],
    )

    assert differences(updated, RECORDED["assistant_with_function"]) == []


def test_file_search_is_echoed_with_its_defaults(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="m", tools=[{"type": "file_search"}])

    assert [tool.to_dict() for tool in assistant.tools] == [
        {
            "type": "file_search",
            "file_search": {
                "ranking_options": {"score_threshold": 0.0, "ranker": "default_2024_08_21"},
            },
        }
    ]
    assert assistant.tool_resources and assistant.tool_resources.file_search
    assert assistant.tool_resources.file_search.vector_store_ids == []


def test_every_parameter_is_kept_as_sent(client: OpenAI) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "number"}}}
    store_id = client.vector_stores.create().id
    sent = {
        "model": "gpt-4-1106-preview",
        "name": "N" * 256,
        "description": "D" * 512,
        "instructions": "I" * 256_000,
        "metadata": {"k" * 64: "v" * 512} | {str(number): "" for number in range(15)},
        "temperature": 0.25,
        "top_p": 0.5,
        "reasoning_effort": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": True},
        },
        "tool_resources": {
            "code_interpreter": {"file_ids": [f"file-{number}" for number in range(20)]},
            "file_search": {"vector_store_ids": [store_id]},
        },
    }

    created = client.beta.assistants.create(**sent)  # type: ignore[arg-type]

    retrieved = client.beta.assistants.retrieve(created.id).to_dict()
    assert {name: retrieved[name] for name in sent} == sent


def test_nulls_that_old_clients_send_mean_the_defaults(server: ThreadServer) -> None:
    fields = ("name", "description", "instructions", "tools", "tool_resources", "metadata")
    numbers = ("temperature", "top_p", "response_format", "reasoning_effort")
    body = {"model": "gpt-4-1106-preview"} | dict.fromkeys(fields + numbers)

    with server.http() as http:
        answer = http.post("assistants", json=body)

    assert answer.status_code == 200
    created = answer.json()
    assert (created["tools"], created["metadata"], created["temperature"]) == ([], {}, 1.0)
    assert (created["top_p"], created["response_format"], created["name"]) == (1.0, "auto", None)


def test_an_update_changes_only_what_it_names(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(
        model="gpt-4o", name="Tutor", metadata={"a": "1"}, temperature=0.5
    )

    updated = client.beta.assistants.update(assistant.id, instructions="Be brief.")

    assert updated.to_dict() == assistant.to_dict() | {"instructions": "Be brief."}


def test_metadata_is_replaced_not_merged(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o", metadata={"a": "1", "b": "2"})

    updated = client.beta.assistants.update(assistant.id, metadata={"c": "3"})

    assert updated.metadata == {"c": "3"}


def test_a_deleted_assistant_is_gone(client: OpenAI) -> None:
    assistant = create_tutor(client)

    deleted = client.beta.assistants.delete(assistant.id)

    assert deleted.to_dict() == {
        "id": assistant.id,
        "object": "assistant.deleted",
        "deleted": True,
    }
    with pytest.raises(NotFoundError, match=rf"No assistant found with id '{assistant.id}'\."):
        client.beta.assistants.retrieve(assistant.id)


@pytest.mark.parametrize("call", ["retrieve", "update", "delete"])
def test_an_unknown_assistant_is_answered_in_the_hosted_words(client: OpenAI, call: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        getattr(client.beta.assistants, call)("asst_unknown")

    assert caught.value.body == {
        "message": "No assistant found with id 'asst_unknown'.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


async def test_the_async_client_creates_and_finds_an_assistant(server: ThreadServer) -> None:
    async with server.async_client() as client:
        created = await client.beta.assistants.create(model="gpt-4o-mini", name="Async")
        retrieved = await client.beta.assistants.retrieve(created.id)

    assert retrieved == created


def test_an_assistant_may_say_how_long_its_runs_may_take(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(
        model="gpt-4o-mini", extra_body={"run_expires_after": 7200}
    )
    thread = client.beta.threads.create()

    run = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)

    assert assistant.to_dict()["run_expires_after"] == 7200
    assert run.expires_at == run.created_at + 7200
