"""The product with no key and no endpoint: the models that run on this machine."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI
from playwright.sync_api import Page, expect

from tests.journeys.conftest import running_product

pytestmark = pytest.mark.timeout(900)

QUESTION = "I need to solve the equation `3x + 11 = 14`. Can you help me?"
SECONDS_TO_FETCH_AND_LOAD = 600
SECONDS_TO_ANSWER = 200


@pytest.fixture(autouse=True)
def _weights_outlive_the_test(tmp_path: Path) -> None:
    """A machine fetches them once."""
    cache = os.environ.get("STUDIO_TEST_CACHE", "~/.cache/assistants-studio-tests")
    models = Path(cache).expanduser() / "models"
    models.mkdir(parents=True, exist_ok=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models").symlink_to(models)


@pytest.fixture
def default_studio(tmp_path: Path) -> Iterator[str]:
    """The product as it comes, without a single setting."""
    with running_product(tmp_path, {}) as address:
        wait_until_ready(address)
        yield address


@pytest.fixture
def small_studio(tmp_path: Path) -> Iterator[OpenAI]:
    with running_product(tmp_path, {"EMBEDDED_MODEL": "smollm2-135m"}) as address:
        wait_until_ready(address)
        yield OpenAI(base_url=f"{address}/v1", api_key="any")


def wait_until_ready(address: str) -> None:
    deadline = time.monotonic() + SECONDS_TO_FETCH_AND_LOAD
    while time.monotonic() < deadline:
        model = httpx.get(f"{address}/v1/health", timeout=30).json()["model"]
        if model["phase"] == "ready":
            return
        assert model["phase"] != "failed", model["message"]
        time.sleep(1)
    raise AssertionError(f"the model was not ready in time: {model}")


def finished_run(client: OpenAI) -> dict[str, Any]:
    """The only run, once it is over."""
    deadline = time.monotonic() + SECONDS_TO_ANSWER
    while time.monotonic() < deadline:
        listed: Any = client.get("/runs", cast_to=object)
        if listed["data"] and listed["data"][0]["status"] not in ("queued", "in_progress"):
            [run] = listed["data"]
            return dict(run)
        time.sleep(1)
    raise AssertionError("the run did not end in time")


def test_the_default_model_answers_the_tutors_question_in_the_browser(
    page: Page, default_studio: str
) -> None:
    page.goto(default_studio)
    page.get_by_role("button", name="Create the Math Tutor").click()
    page.get_by_role("button", name="Chat", exact=False).click()

    page.get_by_text("Solve an equation").click()

    client = OpenAI(base_url=f"{default_studio}/v1", api_key="any")
    run = finished_run(client)
    assert (run["status"], run["answered_by"]) == ("completed", "qwen2.5-coder-1.5b")
    [said] = client.beta.threads.messages.list(run["thread_id"]).data[0].content
    assert said.type == "text"
    first_words = said.text.value.split("\n")[0][:12]
    expect(page.get_by_test_id("stChatMessage").last).to_contain_text(first_words)


def test_the_overview_runs_on_the_small_model_with_nothing_but_the_base_url(
    small_studio: OpenAI,
) -> None:
    beta = small_studio.beta
    assistant = beta.assistants.create(
        name="Math Tutor",
        instructions="You are a personal math tutor. Answer questions briefly.",
        model="gpt-4o",
    )
    questions = [QUESTION, "Could you explain linear algebra to me?", "I don't like math."]

    threads = [
        beta.threads.create(messages=[{"role": "user", "content": question}])
        for question in questions
    ]
    runs = [
        beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
        for thread in threads
    ]
    done = [
        beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=200)
        for run in runs
    ]

    assert [run.status for run in done] == ["completed"] * 3
    for thread, question in zip(threads, questions, strict=True):
        messages = beta.threads.messages.list(thread.id, order="asc").data
        assert [message.role for message in messages] == ["user", "assistant"]
        [asked] = messages[0].content
        assert asked.type == "text" and asked.text.value == question
    beta.threads.messages.create(threads[2].id, role="user", content="Thank you!")
    with beta.threads.runs.stream(thread_id=threads[2].id, assistant_id=assistant.id) as stream:
        text = "".join(stream.text_deltas)
    last = beta.threads.messages.list(threads[2].id).data[0]
    [said] = last.content
    assert said.type == "text" and said.text.value == text
