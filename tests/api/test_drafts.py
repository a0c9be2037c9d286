from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.beta import Assistant
from openai.types.beta.threads import Run

from lib.settings import Settings
from tests.doubles.model_endpoint import ModelEndpoint
from tests.servers import ThreadServer


@pytest.fixture
def run(client: OpenAI, assistant: Assistant) -> Run:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
    return client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=10
    )


def path(run: Run) -> str:
    return f"/threads/{run.thread_id}/runs/{run.id}/draft"


def keep(client: OpenAI, run: Run, **values: Any) -> dict[str, Any]:
    kept: dict[str, Any] = client.post(path(run), body={"values": values}, cast_to=dict[str, Any])
    return kept


def test_a_draft_begins_empty(client: OpenAI, run: Run) -> None:
    draft = client.get(path(run), cast_to=dict[str, Any])

    assert draft == {"object": "thread.run.draft", "values": {}}


def test_values_are_kept_one_by_one_and_taken_out_by_null(client: OpenAI, run: Run) -> None:
    keep(client, run, name="Ada", age=36)

    kept = keep(client, run, age=None, tags=["poet"])

    assert kept["values"] == {"name": "Ada", "tags": ["poet"]}
    assert client.get(path(run), cast_to=dict[str, Any]) == kept


def test_a_draft_goes_with_its_thread(client: OpenAI, run: Run) -> None:
    keep(client, run, name="Ada")

    client.beta.threads.delete(run.thread_id)

    with pytest.raises(NotFoundError):
        client.get(path(run), cast_to=dict[str, Any])


def test_a_value_that_is_too_long_is_refused(client: OpenAI, run: Run) -> None:
    with pytest.raises(BadRequestError, match="1000000 characters"):
        keep(client, run, essay="x" * 1_000_001)


def test_a_draft_outlives_the_server(endpoint: ModelEndpoint, tmp_path: Path) -> None:
    settings = Settings(
        _env_file=None,
        model_base_url=endpoint.base_url,
        model_api="chat_completions",
        data_dir=tmp_path,
    )
    with ThreadServer(settings) as first:
        client = first.client()
        assistant = client.beta.assistants.create(model="gpt-4o-mini")
        thread = client.beta.threads.create()
        run = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
        keep(client, run, answer="typed before the restart")

    with ThreadServer(settings) as second:
        draft = second.client().get(path(run), cast_to=dict[str, Any])

    assert draft["values"] == {"answer": "typed before the restart"}
