"""Export, import and fork of threads; and objects that the hosted API returned."""

import json
from typing import Any

import pytest
from openai import BadRequestError, OpenAI

from tests.doubles.model_endpoint import ModelEndpoint
from tests.servers import ThreadServer

HOSTED_ASSISTANT: dict[str, Any] = {
    "id": "asst_hostedABC",
    "object": "assistant",
    "created_at": 1742586617,
    "name": "Math Tutor",
    "description": None,
    "model": "gpt-4-1106-preview",
    "instructions": "You are a personal math tutor.",
    "tools": [{"type": "code_interpreter"}],
    "tool_resources": {"code_interpreter": {"file_ids": []}},
    "metadata": {},
    "temperature": 1.0,
    "top_p": 1.0,
    "response_format": "auto",
}
HOSTED_THREAD: dict[str, Any] = {
    "id": "thread_hostedABC",
    "object": "thread",
    "created_at": 1742586618,
    "metadata": {},
    "tool_resources": {},
}


def hosted_message(message_id: str, role: str, text: str, created_at: int) -> dict[str, Any]:
    """A message as the hosted API returned it in 2025: without a status."""
    return {
        "id": message_id,
        "object": "thread.message",
        "created_at": created_at,
        "thread_id": HOSTED_THREAD["id"],
        "role": role,
        "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
        "assistant_id": None,
        "run_id": None,
        "attachments": [],
        "metadata": {},
    }


def hosted_run(**changed: Any) -> dict[str, Any]:
    """A run as the hosted API returned it: created, worked on for 14 seconds, paid for."""
    run = {
        "id": "run_hostedABC",
        "object": "thread.run",
        "created_at": 1742586618,
        "assistant_id": HOSTED_ASSISTANT["id"],
        "thread_id": HOSTED_THREAD["id"],
        "status": "completed",
        "started_at": 1742586619,
        "expires_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": 1742586632,
        "required_action": None,
        "last_error": None,
        "model": "gpt-4o-mini",
        "instructions": "You are a personal math tutor.",
        "tools": [],
        "metadata": {},
        "incomplete_details": None,
        "usage": {
            "prompt_tokens": 1_000_000,
            "completion_tokens": 100_000,
            "total_tokens": 1_100_000,
            "prompt_token_details": {"cached_tokens": 0},
        },
        "temperature": 1.0,
        "top_p": 1.0,
        "max_prompt_tokens": None,
        "max_completion_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "response_format": "auto",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }
    return run | changed


def hosted_function_step(run_id: str, created_at: int, ended_at: int) -> dict[str, Any]:
    function = {"name": "ask", "arguments": "{}", "output": "Yes."}
    return {
        "id": "step_hostedABC",
        "object": "thread.run.step",
        "created_at": created_at,
        "run_id": run_id,
        "assistant_id": HOSTED_ASSISTANT["id"],
        "thread_id": HOSTED_THREAD["id"],
        "type": "tool_calls",
        "status": "completed",
        "cancelled_at": None,
        "completed_at": ended_at,
        "expired_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": {
            "type": "tool_calls",
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        },
        "usage": None,
        "metadata": {},
    }


def listed(server: ThreadServer, thread_id: str) -> dict[str, Any]:
    """The only run of a thread, as the list of all runs shows it."""
    with server.http() as http:
        [run] = http.get("runs", params={"thread_id": thread_id}).json()["data"]
    return dict(run)


def send(client: OpenAI, path: str, content: str) -> dict[str, Any]:
    answer = client.post(path, cast_to=object, content=content.encode())
    assert isinstance(answer, dict)
    return answer


def texts_of(client: OpenAI, thread_id: str) -> list[str]:
    messages = client.beta.threads.messages.list(thread_id, order="asc")
    return [part.text.value for m in messages for part in m.content if part.type == "text"]


@pytest.fixture
def finished_thread(client: OpenAI, endpoint: ModelEndpoint) -> str:
    """A thread of a question and an answer."""
    endpoint.will_answer("x = 1.")
    assistant = client.beta.assistants.create(model="gpt-4o-mini")
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Solve 3x + 11 = 14."}]},
        poll_interval_ms=20,
    )
    assert run.status == "completed", run.last_error
    return run.thread_id


def test_an_exported_thread_comes_back_whole_beside_the_original(
    client: OpenAI, finished_thread: str
) -> None:
    exported = client.get(f"/threads/{finished_thread}/export", cast_to=object)

    thread = send(client, "/threads/import", json.dumps(exported))

    assert thread["id"] != finished_thread
    assert texts_of(client, thread["id"]) == ["Solve 3x + 11 = 14.", "x = 1."]
    [run] = client.beta.threads.runs.list(thread["id"]).data
    [step] = client.beta.threads.runs.steps.list(run.id, thread_id=thread["id"]).data
    assert step.step_details.type == "message_creation"
    answer = client.beta.threads.messages.retrieve(
        step.step_details.message_creation.message_id, thread_id=thread["id"]
    )
    assert answer.run_id == run.id


def test_an_exported_thread_that_was_deleted_gets_its_ids_back(
    client: OpenAI, finished_thread: str
) -> None:
    exported = client.get(f"/threads/{finished_thread}/export", cast_to=object)
    client.beta.threads.delete(finished_thread)

    report = send(client, "/import", json.dumps(exported))

    assert report["threads"] == [finished_thread]
    assert texts_of(client, finished_thread) == ["Solve 3x + 11 = 14.", "x = 1."]


def test_hosted_objects_come_in_as_json_lines_and_keep_their_ids(client: OpenAI) -> None:
    # Newest first, as the hosted lists were.
    lines = [
        hosted_message("msg_hosted2", "assistant", "x = 1.", 1742586620),
        hosted_message("msg_hosted1", "user", "Solve it.", 1742586618),
        HOSTED_THREAD,
        HOSTED_ASSISTANT,
    ]

    report = send(client, "/import", "\n".join(json.dumps(line) for line in lines))

    assert report["skipped"] == []
    assert client.beta.assistants.retrieve("asst_hostedABC").model == "gpt-4-1106-preview"
    assert texts_of(client, "thread_hostedABC") == ["Solve it.", "x = 1."]
    client.beta.assistants.delete("asst_hostedABC")
    client.beta.threads.delete("thread_hostedABC")


def test_a_list_comes_in_from_its_envelope(client: OpenAI) -> None:
    page = {"object": "list", "data": [HOSTED_THREAD, hosted_message("msg_h", "user", "Hi", 1)]}

    report = send(client, "/import", json.dumps(page))

    assert (report["threads"], report["messages"]) == (["thread_hostedABC"], 1)
    client.beta.threads.delete("thread_hostedABC")


def test_an_object_that_is_not_whole_does_not_take_its_children_along(client: OpenAI) -> None:
    page = [{**HOSTED_THREAD, "created_at": "soon"}, hosted_message("msg_h", "user", "Hi", 1)]

    report = send(client, "/import", json.dumps(page))

    assert report["threads"] == []
    assert {item["id"] for item in report["skipped"]} == {"thread_hostedABC", "msg_h"}


def test_what_cannot_come_in_is_said_and_the_rest_is_kept(client: OpenAI) -> None:
    page = [
        HOSTED_THREAD,
        hosted_message("msg_kept", "user", "Kept", 1),
        {**hosted_message("msg_broken", "user", "x", 2), "content": "not a list"},
        {**hosted_message("msg_orphan", "user", "x", 2), "thread_id": "thread_gone"},
        {"id": "ft_1", "object": "fine_tuning.job"},
        "nonsense",
    ]

    report = send(client, "/import", json.dumps(page))

    reasons = {item["id"]: item["reason"] for item in report["skipped"]}
    assert "content" in reasons["msg_broken"]
    assert reasons["msg_orphan"] == "Its thread 'thread_gone' is not here."
    assert "fine_tuning.job" in reasons["ft_1"]
    assert texts_of(client, "thread_hostedABC") == ["Kept"]
    client.beta.threads.delete("thread_hostedABC")


@pytest.mark.parametrize("content", ["", "{broken", '{"object": "thread"}\n{broken'])
def test_an_import_that_is_no_json_is_refused(client: OpenAI, content: str) -> None:
    with pytest.raises(BadRequestError, match="JSON"):
        send(client, "/import", content)


def test_a_fork_has_the_messages_up_to_the_chosen_one(client: OpenAI, finished_thread: str) -> None:
    question = client.beta.threads.messages.list(finished_thread, order="asc").data[0]

    fork = client.post(
        f"/threads/{finished_thread}/fork",
        cast_to=object,
        body={"message_id": question.id, "metadata": {"branch": "b"}},
    )

    assert isinstance(fork, dict)
    assert fork["metadata"] == {"branch": "b"}
    assert texts_of(client, fork["id"]) == ["Solve 3x + 11 = 14."]
    assert len(texts_of(client, finished_thread)) == 2


def test_an_imported_run_has_the_figures_that_its_objects_tell(
    client: OpenAI, server: ThreadServer
) -> None:
    run = hosted_run()
    step = hosted_function_step(run["id"], 1742586620, 1742586630)

    report = send(client, "/import", json.dumps([HOSTED_THREAD, run, step]))

    assert report["skipped"] == []
    figures = listed(server, HOSTED_THREAD["id"])
    assert figures["duration_ms"] == 14_000
    assert figures["waited_ms"] == 10_000
    assert figures["step_count"] == 1
    assert figures["cost"] == pytest.approx(0.15 + 0.06)
    with server.http() as http:
        stats = http.get("runs/stats", params={"thread_id": HOSTED_THREAD["id"]}).json()["total"]
    assert (stats["prompt_tokens"], stats["completion_tokens"]) == (1_000_000, 100_000)
    assert stats["p50_ms"] == 4_000
    client.beta.threads.delete("thread_hostedABC")


def test_an_imported_run_that_tells_little_keeps_its_gaps(
    client: OpenAI, server: ThreadServer
) -> None:
    run = hosted_run(status="expired", completed_at=None, usage=None)

    send(client, "/import", json.dumps([HOSTED_THREAD, run]))

    figures = listed(server, HOSTED_THREAD["id"])
    assert (figures["duration_ms"], figures["cost"], figures["step_count"]) == (None, None, 0)
    client.beta.threads.delete("thread_hostedABC")


def test_steps_that_come_later_are_counted(client: OpenAI, server: ThreadServer) -> None:
    run = hosted_run()
    send(client, "/import", json.dumps([HOSTED_THREAD, run]))

    send(client, "/import", json.dumps(hosted_function_step(run["id"], 1742586620, 1742586630)))

    assert listed(server, HOSTED_THREAD["id"])["step_count"] == 1
    client.beta.threads.delete("thread_hostedABC")


def test_an_exported_run_comes_back_with_the_figures_it_had(
    client: OpenAI, server: ThreadServer, finished_thread: str
) -> None:
    before = listed(server, finished_thread)
    exported = client.get(f"/threads/{finished_thread}/export", cast_to=object)

    thread = send(client, "/threads/import", json.dumps(exported))

    names = ("duration_ms", "waited_ms", "step_count", "cost", "usage", "answered_by")
    after = listed(server, thread["id"])
    assert {name: after[name] for name in names} == {name: before[name] for name in names}


def test_a_run_with_figures_that_cannot_be_is_said_not_to_be_whole(client: OpenAI) -> None:
    run = {**hosted_run(), "duration_ms": -1}

    report = send(client, "/import", json.dumps([HOSTED_THREAD, run]))

    assert [item["reason"] for item in report["skipped"]] == [
        "It is not a whole thread.run: see 'duration_ms'."
    ]
    client.beta.threads.delete("thread_hostedABC")
