import time
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta import Assistant

from tests.conftest import StartServer
from tests.doubles.model_endpoint import ModelEndpoint
from tests.doubles.model_wire import Answer
from tests.servers import ThreadServer

PATIENCE = 60.0


def post(server: ThreadServer, path: str, body: Any = None) -> Any:
    with server.http() as http:
        response = http.post(path, json=body or {})
        assert response.status_code == 200, response.text
        return response.json()


def get(server: ThreadServer, path: str, **params: Any) -> Any:
    with server.http() as http:
        return http.get(path, params=params).json()


def finished(server: ThreadServer, batch_id: str) -> Any:
    """The batch once nothing of it is pending or at work."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        batch = get(server, f"prompt_batches/{batch_id}")
        if not {"pending", "queued", "in_progress", "cancelling"} & set(batch["by_status"]):
            return batch
        time.sleep(0.02)
    raise AssertionError(f"the batch did not finish: {batch}")


def test_every_prompt_gets_its_own_answer(
    server: ThreadServer, endpoint: ModelEndpoint, assistant: Assistant
) -> None:
    for word in ("one", "two", "three"):
        endpoint.when(word, Answer(text=f"Answer to {word}"))

    batch = post(
        server,
        "prompt_batches",
        {"assistant_id": assistant.id, "prompts": ["say one", "say two", "say three"]},
    )

    assert finished(server, batch["id"])["by_status"] == {"completed": 3}
    items = get(server, f"prompt_batches/{batch['id']}/items")["data"]
    assert [item["answer"] for item in items] == [
        "Answer to one",
        "Answer to two",
        "Answer to three",
    ]
    assert len({item["thread_id"] for item in items}) == 3


def test_no_more_runs_are_at_work_at_once_than_asked_for(
    server: ThreadServer, endpoint: ModelEndpoint, assistant: Assistant
) -> None:
    endpoint.default_answer("Fine.", initial_delay=0.1)
    body = {"assistant_id": assistant.id, "prompts": ["Hello"] * 8, "concurrency": 2}

    batch = post(server, "prompt_batches", body)

    most = 0
    while True:
        by_status = get(server, f"prompt_batches/{batch['id']}")["by_status"]
        most = max(most, by_status.get("queued", 0) + by_status.get("in_progress", 0))
        if by_status == {"completed": 8}:
            break
        time.sleep(0.01)
    assert most == 2


def test_the_failed_are_retried_and_the_others_left_alone(
    server: ThreadServer, endpoint: ModelEndpoint, assistant: Assistant
) -> None:
    error = {"error": {"message": "No.", "type": "invalid_request_error", "code": None}}
    endpoint.when("bad", Answer(status=400, error=error))
    body = {"assistant_id": assistant.id, "prompts": ["good", "bad"]}
    batch = post(server, "prompt_batches", body)
    assert finished(server, batch["id"])["by_status"] == {"completed": 1, "failed": 1}
    endpoint.script.rules.clear()

    post(server, f"prompt_batches/{batch['id']}/retry")

    assert finished(server, batch["id"])["by_status"] == {"completed": 2}
    items = get(server, f"prompt_batches/{batch['id']}/items")["data"]
    assert [item["attempts"] for item in items] == [1, 2]


def test_a_cancelled_batch_starts_nothing_more(
    server: ThreadServer, endpoint: ModelEndpoint, assistant: Assistant
) -> None:
    endpoint.default_answer(tokens=2000, token_delay=0.05)
    body = {"assistant_id": assistant.id, "prompts": ["Hello"] * 5, "concurrency": 1}
    batch = post(server, "prompt_batches", body)
    while not endpoint.requests:
        time.sleep(0.01)

    post(server, f"prompt_batches/{batch['id']}/cancel")

    assert finished(server, batch["id"])["by_status"] == {"cancelled": 5}
    assert len(endpoint.requests) == 1


def test_a_batch_goes_on_after_a_restart(
    start_server: StartServer, endpoint: ModelEndpoint
) -> None:
    endpoint.default_answer("Fine.", initial_delay=0.05)
    first = start_server()
    assistant = first.client().beta.assistants.create(model="gpt-4o-mini")
    body = {"assistant_id": assistant.id, "prompts": ["Hello"] * 20, "concurrency": 1}
    batch = post(first, "prompt_batches", body)
    first.__exit__(None, None, None)

    second = start_server()

    assert finished(second, batch["id"])["by_status"] == {"completed": 20}


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_answers_are_exported(form: str, server: ThreadServer, assistant: Assistant) -> None:
    batch = post(server, "prompt_batches", {"assistant_id": assistant.id, "prompts": ["Hi, you"]})
    finished(server, batch["id"])

    with server.http() as http:
        text = http.get(f"prompt_batches/{batch['id']}/export", params={"format": form}).text

    assert "Hi, you" in text
    assert "Hello from the model." in text


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"prompts": []}, id="no prompt"),
        pytest.param({"prompts": [""]}, id="empty prompt"),
        pytest.param({"prompts": ["Hi"], "concurrency": 0}, id="nothing at once"),
        pytest.param({"prompts": ["Hi"], "concurrency": 101}, id="too many at once"),
    ],
)
def test_a_batch_that_cannot_be_is_refused(
    body: dict[str, Any], server: ThreadServer, assistant: Assistant
) -> None:
    with server.http() as http:
        response = http.post("prompt_batches", json={"assistant_id": assistant.id, **body})

    assert response.status_code == 400
    assert response.json()["error"]["message"]


def test_an_unknown_assistant_is_said(server: ThreadServer) -> None:
    with server.http() as http:
        body = {"assistant_id": "asst_none", "prompts": ["Hi"]}
        response = http.post("prompt_batches", json=body)

    assert response.status_code == 404
    assert response.json()["error"]["message"] == "No assistant found with id 'asst_none'."


def test_a_forgotten_batch_leaves_its_runs(
    server: ThreadServer, client: OpenAI, assistant: Assistant
) -> None:
    batch = post(server, "prompt_batches", {"assistant_id": assistant.id, "prompts": ["Hi"]})
    finished(server, batch["id"])
    [item] = get(server, f"prompt_batches/{batch['id']}/items")["data"]

    with server.http() as http:
        assert http.delete(f"prompt_batches/{batch['id']}").json()["deleted"] is True

    run = client.beta.threads.runs.retrieve(item["run_id"], thread_id=item["thread_id"])
    assert run.status == "completed"
