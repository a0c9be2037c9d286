"""The product with no key and no endpoint: the models that run on this machine."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI
from openai.types.beta.threads.runs import CodeInterpreterToolCall
from playwright.sync_api import Locator, Page, expect

from tests.journeys.conftest import Shot, running_product
from tests.journeys.interaction import choose, settle
from tests.tools.file_search import documents

pytestmark = pytest.mark.timeout(900)

QUESTION = "I need to solve the equation `3x + 11 = 14`. Can you help me?"
BRIEFLY = "Answer questions briefly, in a sentence or less."
FIBONACCI = "Generate the first 20 fibbonaci numbers with code."
FIRST_TWENTY = [0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597, 2584, 4181]
SECONDS_TO_FETCH_AND_LOAD = 600
SECONDS_TO_ANSWER = 400
"""A machine that runs other tests at once gives the model little of its time."""
MOST_TOKENS_OF_SMALL_MODEL = 300
"""It may talk until it is stopped."""

TITLE = "Counting Swifts: Nest Boxes in Five Church Towers"
PAPER = [
    f"{TITLE}\n\nAda Grey and Bo Hill, Institute for Field Ornithology\n\n"
    "Abstract. Common swifts lose their nesting places when old roofs are repaired. We offered "
    "them wooden boxes behind the louvres of church towers and counted them for three summers.",
    "1. Methods\n\nIn the spring of the first year 64 boxes of spruce wood were hung in five "
    "church towers. Each box was 34 centimetres wide and had an oval entrance. Recordings of "
    "swift calls were played for one hour after sunrise, from the first of May to the end of June.",
    "2. Results\n\nThe largest colony, in the tower of Saint Gall, held 23 breeding pairs in the "
    "third summer. The smallest tower had only two. Young birds left the boxes after 42 days.",
    "3. Discussion\n\nOlder towers were taken up sooner than new ones. We recommend boxes for "
    "every tower whose louvres are repaired, and recordings in the first two years.",
]


def data_dir_with_weights(folder: Path) -> None:
    """Where the product keeps its data; a machine fetches the weights once."""
    cache = os.environ.get("STUDIO_TEST_CACHE", "~/.cache/assistants-studio-tests")
    models = Path(cache).expanduser() / "models"
    models.mkdir(parents=True, exist_ok=True)
    (folder / "data").mkdir()
    (folder / "data" / "models").symlink_to(models)


@pytest.fixture(scope="module")
def default_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The product as it comes, without a single setting: one for all, loading takes its time."""
    folder = tmp_path_factory.mktemp("default")
    data_dir_with_weights(folder)
    with running_product(folder, {}) as address:
        wait_until_ready(address)
        yield address


@pytest.fixture
def default_client(default_studio: str) -> OpenAI:
    return OpenAI(base_url=f"{default_studio}/v1", api_key="any")


@pytest.fixture
def small_studio(tmp_path: Path) -> Iterator[OpenAI]:
    data_dir_with_weights(tmp_path)
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


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    return documents.pdf(tmp_path / "swifts.pdf", PAPER)


def put(page: Page, question: str) -> None:
    """Ask in the thread that the Chat page shows."""
    settle(page)
    page.get_by_test_id("stChatInputTextArea").fill(question)
    page.get_by_test_id("stChatInputTextArea").press("Enter")


def whole_answer(page: Page) -> Locator:
    """The newest message, once its run is over: only then it leads to its run."""
    answer = page.get_by_test_id("stChatMessage").last
    is_over = answer.get_by_role("link", name="Run")
    expect(is_over).to_be_visible(timeout=SECONDS_TO_ANSWER * 1_000)
    return answer


def cells(page: Page, client: OpenAI) -> list[CodeInterpreterToolCall]:
    """The code that the newest run of the thread on the page has run."""
    [thread_id] = re.findall(r"thread=(thread_\w+)", page.url)
    listed: Any = client.get("/runs", cast_to=object)
    run = next(run for run in listed["data"] if run["thread_id"] == thread_id)
    assert (run["status"], run["answered_by"]) == ("completed", "qwen2.5-coder-1.5b")
    return [
        call
        for step in client.beta.threads.runs.steps.list(run["id"], thread_id=thread_id, order="asc")
        if step.step_details.type == "tool_calls"
        for call in step.step_details.tool_calls
        if call.type == "code_interpreter"
    ]


def printed(called: list[CodeInterpreterToolCall]) -> str:
    return "".join(
        output.logs
        for call in called
        for output in call.code_interpreter.outputs
        if output.type == "logs"
    )


def words(page: Page, client: OpenAI) -> str:
    """What the newest message of the thread on the page says."""
    [thread_id] = re.findall(r"thread=(thread_\w+)", page.url)
    content = client.beta.threads.messages.list(thread_id, limit=1).data[0].content
    return "".join(part.text.value for part in content if part.type == "text")


def test_the_default_model_answers_the_tutors_question_in_the_browser(
    page: Page, default_studio: str, default_client: OpenAI
) -> None:
    page.goto(default_studio)
    page.get_by_role("button", name="Create the Math Tutor").click()
    page.get_by_role("button", name="Chat", exact=False).click()

    page.get_by_text("Solve an equation").click()

    answer = whole_answer(page)
    assert cells(page, default_client) == []
    # Its Markdown is drawn: the letters are what both have in common.
    for word in re.findall("[A-Za-z]{4,}", words(page, default_client))[:5]:
        expect(answer).to_contain_text(word)


def test_the_tutor_is_given_code_interpreter_and_computes_with_it(
    page: Page, default_studio: str, default_client: OpenAI, shot: Shot
) -> None:
    """Rows 7 and 8 of the overview."""
    tutor = default_client.beta.assistants.create(
        name="Fibonacci Tutor", model="gpt-4o", instructions=BRIEFLY
    )
    page.goto(default_studio)
    page.get_by_test_id("stMain").get_by_role("button", name="Edit").first.click()
    dialog = page.get_by_role("dialog")
    settle(page)
    dialog.get_by_text("Code Interpreter", exact=True).click()
    expect(dialog.get_by_role("switch").first).to_be_checked()
    shot(page, "row-7-code-interpreter-on")
    dialog.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Fibonacci Tutor is saved.")).to_be_visible()
    saved = default_client.beta.assistants.retrieve(tutor.id)
    assert [tool.type for tool in saved.tools] == ["code_interpreter"]

    page.goto(f"{default_studio}/chat?assistant={tutor.id}")
    put(page, FIBONACCI)

    answer = whole_answer(page)
    numbers = list(map(int, re.findall(r"\d+", printed(cells(page, default_client)))))
    assert numbers[-20:] == FIRST_TWENTY
    settle(page)
    answer.get_by_text("Ran Python code").last.click()
    expect(answer.get_by_text("4181").first).to_be_visible()
    shot(page, "row-8-fibonacci")


def test_a_pdf_attached_to_a_question_is_read_by_code(
    page: Page, default_studio: str, default_client: OpenAI, paper: Path, shot: Shot
) -> None:
    """Row 9b of the overview."""
    reader = default_client.beta.assistants.create(
        name="Reader", model="gpt-4o", instructions=BRIEFLY, tools=[{"type": "code_interpreter"}]
    )
    page.goto(f"{default_studio}/chat?assistant={reader.id}")
    settle(page)

    page.locator("input[type=file]").set_input_files(str(paper))
    expect(page.get_by_text("swifts.pdf").first).to_be_visible()
    put(page, "How many pages does the attached PDF have, and what does its first page say?")

    answer = whole_answer(page)
    assert TITLE in printed(cells(page, default_client))
    expect(answer.get_by_text("Ran Python code").last).to_be_visible()
    assert re.search(r"\b(4|four)\b", words(page, default_client), re.IGNORECASE)
    shot(page, "row-9b-pdf-read-by-code")


def test_a_paper_is_cited_on_its_page_until_its_store_is_deleted(
    page: Page, default_studio: str, default_client: OpenAI, paper: Path, shot: Shot
) -> None:
    """Row 9a of the overview."""
    tools: Any = [{"type": "code_interpreter"}, {"type": "file_search"}]
    assistant = default_client.beta.assistants.create(
        name="Librarian", model="gpt-4o", instructions=BRIEFLY, tools=tools
    )
    page.goto(f"{default_studio}/knowledge")
    page.get_by_role("button", name="Create a store").click()
    page.get_by_label("Name").fill("Papers")
    page.get_by_role("button", name="Create store").click()
    expect(page.get_by_text("500MB per file")).to_be_visible()
    page.locator("input[type=file]").set_input_files(str(paper))
    page.get_by_role("button", name="Put into the store").click()
    expect(page.get_by_text("1 file ·").first).to_be_visible()
    [store] = default_client.vector_stores.list().data
    [file] = default_client.vector_stores.files.list(store.id).data
    in_store = default_client.vector_stores.files.poll(file.id, vector_store_id=store.id)
    assert in_store.status == "completed"
    users = page.get_by_role("combobox", name="Assistants that search this store")
    choose(users, page.get_by_role("option", name="Librarian"))
    expect(page.get_by_text("Librarian").first).to_be_visible()
    shot(page, "row-9a-knowledge")

    page.goto(f"{default_studio}/chat?assistant={assistant.id}")
    put(page, "According to the paper, how many breeding pairs did the largest colony hold?")
    answer = whole_answer(page)
    expect(answer).to_contain_text("23")
    assert "【" not in answer.inner_text()
    shot(page, "row-9a-answer")
    answer.get_by_role("button", name="swifts.pdf").click()
    source = page.get_by_role("dialog", name="swifts.pdf")
    expect(source).to_contain_text("23 breeding pairs")
    expect(source.get_by_alt_text("Page 3")).to_be_visible()
    shot(page, "row-9a-source")

    page.goto(f"{default_studio}/knowledge")
    settle(page)
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("Papers was deleted.")).to_be_visible()
    unlinked = default_client.beta.assistants.retrieve(assistant.id).to_dict()
    assert unlinked["tool_resources"]["file_search"] == {"vector_store_ids": []}  # type: ignore[index]


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
        beta.threads.runs.create(
            thread_id=thread.id,
            assistant_id=assistant.id,
            max_completion_tokens=MOST_TOKENS_OF_SMALL_MODEL,
        )
        for thread in threads
    ]
    done = [
        beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=200)
        for run in runs
    ]

    assert {run.status for run in done} <= {"completed", "incomplete"}
    for thread, question in zip(threads, questions, strict=True):
        messages = beta.threads.messages.list(thread.id, order="asc").data
        assert [message.role for message in messages] == ["user", "assistant"]
        [asked] = messages[0].content
        assert asked.type == "text" and asked.text.value == question
    beta.threads.messages.create(threads[2].id, role="user", content="Thank you!")
    with beta.threads.runs.stream(
        thread_id=threads[2].id,
        assistant_id=assistant.id,
        max_completion_tokens=MOST_TOKENS_OF_SMALL_MODEL,
    ) as stream:
        text = "".join(stream.text_deltas)
    last = beta.threads.messages.list(threads[2].id).data[0]
    [said] = last.content
    assert said.type == "text" and said.text.value == text
