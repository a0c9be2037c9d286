"""Keys that people or programs wrote into a run: exact in the API's objects, masked elsewhere."""

import json
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta.threads import Run

from tests.conftest import StartServer
from tests.doubles.model_endpoint import ModelEndpoint
from tests.servers import ThreadServer

OWN_KEY = "own-key-of-this-server"
FOREIGN_KEY = "sk-proj-Ab3dEf6hIj9kLm2nOp5"
TOKEN = "Ab3dEf6hIj9kLm2n"
KEYS = (OWN_KEY, FOREIGN_KEY, TOKEN)
FUNCTION: Any = {"type": "function", "function": {"name": "fetch"}}


@pytest.fixture
def server(start_server: StartServer) -> ThreadServer:
    return start_server(embedding_api_key=OWN_KEY)


@pytest.fixture
def run(client: OpenAI, endpoint: ModelEndpoint) -> Run:
    """A run with keys in everything that a run holds."""
    endpoint.will_call(("fetch", {"header": f"Bearer {TOKEN}"}))
    endpoint.will_answer(f"It said {FOREIGN_KEY}.")
    assistant = client.beta.assistants.create(
        model="gpt-4o-mini", instructions=f"Use {OWN_KEY}.", tools=[FUNCTION]
    )
    waiting = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": f"My key is {FOREIGN_KEY}."}]},
        poll_interval_ms=5,
    )
    assert waiting.required_action
    [call] = waiting.required_action.submit_tool_outputs.tool_calls
    return client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=waiting.id,
        thread_id=waiting.thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": f"Got {FOREIGN_KEY} and {OWN_KEY}"}],
        poll_interval_ms=5,
    )


@pytest.mark.parametrize(
    "path",
    [
        "threads/{thread}/runs/{run}/inspection",
        "threads/{thread}/runs/{run}/event_log",
        "threads/{thread}/runs/{run}/model_calls",
        "threads/{thread}/export",
        "runs/export?format=jsonl",
        "runs/export?format=csv",
    ],
)
def test_what_people_look_into_and_take_along_holds_no_keys(
    path: str, server: ThreadServer, run: Run
) -> None:
    with server.http() as http:
        response = http.get(path.format(thread=run.thread_id, run=run.id))

    assert response.status_code == 200
    assert [key for key in KEYS if key in response.text] == []


def test_the_api_s_own_objects_are_exact(client: OpenAI, run: Run) -> None:
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    messages = client.beta.threads.messages.list(run.thread_id).data

    everything = json.dumps([one.to_dict() for one in (run, *steps, *messages)])
    assert [key for key in KEYS if key not in everything] == []


def test_the_exact_input_of_a_model_stays_readable(server: ThreadServer, run: Run) -> None:
    with server.http() as http:
        calls = http.get(f"threads/{run.thread_id}/runs/{run.id}/model_calls").json()["data"]

    assert calls[1]["input"]["instructions"] == "Use •••."
    assert calls[1]["input"]["turns"][0]["content"] == [{"type": "text", "text": "My key is •••."}]
    assert calls[1]["input"]["turns"][1]["calls"][0]["output"] == "Got ••• and •••"
