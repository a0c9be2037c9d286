"""The process dies, is stopped, or cannot start. The product runs as users start it."""

import asyncio
import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.beta.threads import Run

from tests.conftest import StartProcess
from tests.doubles.model_endpoint import ModelEndpoint
from tests.servers import ProcessServer, Server, run_events

RUNS = 50
WORDS = 40
ANSWER = " ".join(f"word{number}" for number in range(WORDS))
TERMINAL = ("completed", "failed", "cancelled", "expired", "incomplete")


async def start_runs(server: Server, count: int) -> list[Run]:
    """Start streaming runs, and return when each has said something."""
    async with AsyncOpenAI(base_url=server.base_url) as client:
        assistant = await client.beta.assistants.create(model="gpt-4o-mini")

        async def start() -> Run:
            stream = await client.beta.threads.create_and_run(
                assistant_id=assistant.id,
                thread={"messages": [{"role": "user", "content": "Talk."}]},
                stream=True,
            )
            run: Run | None = None
            async for event in stream:
                if event.event == "thread.run.created":
                    run = event.data
                if event.event == "thread.message.delta" and run:
                    await stream.close()
                    return run
            raise AssertionError("the run said nothing")

        return list(await asyncio.gather(*(start() for _ in range(count))))


def ended(client: OpenAI, run: Run) -> Run:
    return client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=50)


def told(server: Server, run: Run) -> tuple[list[str], dict[str, str]]:
    """The names of a run's events, and the text that each message's deltas add up to."""
    names: list[str] = []
    texts: dict[str, str] = {}
    with run_events(server, run.thread_id, run.id) as events:
        for _, name, payload in events:
            names.append(name)
            if name == "thread.message.delta":
                said = payload["delta"]["content"][0]["text"]["value"]
                texts[payload["id"]] = texts.get(payload["id"], "") + said
    return names, texts


def check_told_once(server: Server, client: OpenAI, run: Run) -> None:
    """The run is whole, its thread has one answer, and its events tell exactly that one."""
    assert ended(client, run).status == "completed"
    messages = client.beta.threads.messages.list(run.thread_id, order="asc").data
    assert [message.role for message in messages] == ["user", "assistant"]
    answer = messages[1].content[0]
    assert answer.type == "text" and answer.text.value == ANSWER
    names, texts = told(server, run)
    assert texts == {messages[1].id: ANSWER}
    for once in ("thread.run.created", "thread.message.created", "thread.message.completed"):
        assert names.count(once) == 1, names
    assert names[-2:] == ["thread.run.completed", "done"]
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    assert [step.status for step in steps] == ["completed"]


def slow_answers(endpoint: ModelEndpoint) -> None:
    endpoint.default_answer(ANSWER, token_delay=0.1)


async def test_runs_go_on_after_the_process_was_killed(
    start_process: StartProcess, endpoint: ModelEndpoint
) -> None:
    slow_answers(endpoint)
    first = start_process()
    runs = await start_runs(first, RUNS)

    first.kill()
    endpoint.default_answer(ANSWER)
    second = start_process()

    client = second.client()
    for run in runs:
        check_told_once(second, client, run)


def test_a_stop_does_not_wait_for_a_stream_of_a_waiting_run(
    start_process: StartProcess, endpoint: ModelEndpoint
) -> None:
    endpoint.default_answer("too late", initial_delay=300)
    process = start_process()
    client = process.client()
    assistant = client.beta.assistants.create(model="gpt-4o-mini", instructions="Hi")
    run = client.beta.threads.create_and_run(assistant_id=assistant.id)

    with run_events(process, run.thread_id, run.id) as events:
        next(events)
        status = process.stop(within=15)
        names = [name for _, name, _ in events]

    assert status in (0, -signal.SIGTERM)
    assert "done" not in names


async def test_a_stop_ends_open_streams_soon_and_runs_go_on_at_the_next_start(
    start_process: StartProcess, endpoint: ModelEndpoint
) -> None:
    slow_answers(endpoint)
    first = start_process()
    runs = await start_runs(first, 5)

    with run_events(first, runs[0].thread_id, runs[0].id) as events:
        next(events)
        status = await asyncio.to_thread(first.stop, 15)
        names = [name for _, name, _ in events]
    endpoint.default_answer(ANSWER)
    second = start_process()

    assert status in (0, -signal.SIGTERM), first.console
    assert "Traceback" not in first.console
    assert "done" not in names
    client = second.client()
    for run in runs:
        check_told_once(second, client, run)


def test_a_waiting_run_survives_a_kill(
    start_process: StartProcess, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(("get_time", {}))
    first = start_process()
    client = first.client()
    assistant = client.beta.assistants.create(
        model="gpt-4o-mini", tools=[{"type": "function", "function": {"name": "get_time"}}]
    )
    waiting = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Time?"}]},
        poll_interval_ms=10,
    )
    assert waiting.required_action, waiting.last_error
    call = waiting.required_action.submit_tool_outputs.tool_calls[0]

    first.kill()
    client = start_process().client()
    client.beta.threads.runs.submit_tool_outputs(
        waiting.id,
        thread_id=waiting.thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": "noon"}],
    )

    assert ended(client, waiting).status == "completed"


# --- it cannot start ---------------------------------------------------------------------------


def refusal_of(process: ProcessServer) -> str:
    """What a process says that ends by itself."""
    assert process.process.wait(60) != 0
    return process.console.strip()


@pytest.fixture
def refused(tmp_path: Path, endpoint: ModelEndpoint) -> Any:
    def refused(address: str = "127.0.0.1", **settings: str) -> str:
        chosen = {"MODEL_BASE_URL": endpoint.base_url} | settings
        process = ProcessServer(tmp_path, address, **chosen)
        try:
            return refusal_of(process)
        finally:
            process.kill()

    return refused


def test_a_database_that_is_none_is_told_in_one_sentence(tmp_path: Path, refused: Any) -> None:
    database = tmp_path / "data" / "studio.db"
    database.parent.mkdir()
    database.write_bytes(os.urandom(8192))

    said = refused()

    assert f"The database {database} cannot be opened: file is not a database." in said
    assert "Traceback" not in said


def test_a_folder_in_place_of_the_database_is_told_in_one_sentence(
    tmp_path: Path, refused: Any
) -> None:
    database = tmp_path / "data" / "studio.db"
    database.mkdir(parents=True)

    said = refused()

    assert f"The database {database} cannot be opened" in said
    assert "Traceback" not in said


def test_a_wrong_setting_is_told_in_one_sentence(refused: Any) -> None:
    said = refused(RUN_EXPIRES_AFTER="soon")

    assert "RUN_EXPIRES_AFTER cannot be used:" in said
    assert "Traceback" not in said


def test_a_search_database_that_does_not_answer_is_told_in_one_sentence(refused: Any) -> None:
    said = refused(SEARCH_DATABASE_URL="postgresql://me:never-seen@127.0.0.1:1/search")

    assert said.endswith(
        "SEARCH_DATABASE_URL cannot be used: no server answers there; start Postgres or correct "
        "the host and port."
    )
    assert "Traceback" not in said and "never-seen" not in said


def test_it_does_not_listen_to_others_without_keys(refused: Any) -> None:
    said = refused(address="0.0.0.0")

    assert "set API_KEYS" in said
    assert "Traceback" not in said


def test_it_does_not_listen_to_others_without_a_password(refused: Any) -> None:
    said = refused(address="0.0.0.0", API_KEYS="sk-one")

    assert "set DASHBOARD_PASSWORD" in said
    assert "sk-one" not in said and "Traceback" not in said


def test_a_database_of_a_killed_process_is_whole(
    start_process: StartProcess, tmp_path: Path
) -> None:
    process = start_process()
    for _ in range(20):
        process.client().beta.threads.create(messages=[{"role": "user", "content": "Hello"}])

    process.kill()

    with sqlite3.connect(tmp_path / "data" / "studio.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT count(*) FROM threads").fetchone() == (20,)
        assert database.execute("SELECT count(*) FROM messages").fetchone() == (20,)
