"""Answering function calls in a real browser."""

import json
import re
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta.threads import Run
from playwright.sync_api import Locator, Page, expect

from lib.dashboard.function_forms.ready_made import DISPLAY_QUIZ
from tests.contract.comparison import RECORDED
from tests.dashboard.function_forms.hostile_arguments import HOSTILE_ARGUMENTS
from tests.doubles.model_endpoint import ModelEndpoint

# A browser on a busy machine takes its time.
pytestmark = pytest.mark.timeout(400)

HOSTILE_TO_BROWSERS = [
    "HTML and script",
    "Markdown that calls home",
    "Streamlit's own directives",
    "controls and reordering",
    "one word of ten thousand letters",
    "ten thousand characters",
]


def recorded_calls() -> list[tuple[str, str]]:
    """The two quizzes of the recorded round, as the model wrote them."""
    action = RECORDED["run_requires_action"]["required_action"]
    calls = action["submit_tool_outputs"]["tool_calls"]
    return [(call["function"]["name"], call["function"]["arguments"]) for call in calls]


def waiting_run(
    client: OpenAI, endpoint: ModelEndpoint, *calls: tuple[str, Any], **extra: Any
) -> Run:
    endpoint.will_call(*calls)
    tools: Any = [{"type": "function", "function": DISPLAY_QUIZ}]
    assistant = client.beta.assistants.create(
        model="gpt-4o-mini", name="Math Tutor", tools=tools, extra_body=extra or None
    )
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Make a quiz"}]},
        poll_interval_ms=20,
    )
    assert run.status == "requires_action", run.last_error
    return run


def form_of(page: Page) -> Locator:
    return page.locator(".st-key-waiting_form")


def submit_of(page: Page) -> Locator:
    return form_of(page).get_by_role("button", name=re.compile("^.*Submit"))


def open_form(page: Page, studio: str, run: Run, where: str = "chat") -> None:
    page.goto(f"{studio}/{where}?run={run.id}")
    expect(submit_of(page)).to_be_visible()


def answer_quiz(page: Page, number: int, text: str, choice: str) -> None:
    form_of(page).get_by_role("textbox").nth(number).fill(text)
    page.keyboard.press("Tab")
    form_of(page).get_by_text(choice, exact=True).nth(number).click()


def outputs_sent(endpoint: ModelEndpoint) -> list[Any]:
    messages = endpoint.last["messages"]
    return [json.loads(one["content"]) for one in messages if one["role"] == "tool"]


def test_the_recorded_round_of_two_quizzes_is_answered_and_feedback_streams_in(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = waiting_run(client, endpoint, *recorded_calls())
    endpoint.will_answer("Both of your answers are right.", token_delay=0.05)
    open_form(page, studio, run)

    answer_quiz(page, 0, "a² + b² = c²", "A) 100")
    answer_quiz(page, 1, "I don't know.", "B) 64")
    submit_of(page).click()

    expect(page.get_by_text("Both of your answers are right.")).to_be_visible()
    expect(form_of(page)).to_be_hidden()
    assert outputs_sent(endpoint) == [["a² + b² = c²", "A) 100"], ["I don't know.", "B) 64"]]


def test_what_is_missing_is_said_and_nothing_is_sent(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = waiting_run(client, endpoint, recorded_calls()[0])
    open_form(page, studio, run)

    submit_of(page).click()

    expect(page.get_by_text("2 answers are missing or not right yet.")).to_be_visible()
    expect(page.get_by_text("Choose an answer for Question 2.")).to_be_visible()
    assert client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status == (
        "requires_action"
    )


def test_what_is_being_typed_survives_a_reload_and_another_browser(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = waiting_run(client, endpoint, recorded_calls()[0])
    open_form(page, studio, run)
    form_of(page).get_by_text("B) 64", exact=True).click()
    # The text area keeps the focus: nothing but the pause in typing tells the server.
    form_of(page).get_by_role("textbox").press_sequentially("The square of the hyp", delay=30)
    expect_draft(client, run, "The square of the hyp")

    page.reload()

    expect(form_of(page).get_by_role("textbox")).to_have_value("The square of the hyp")
    expect(form_of(page).get_by_role("radio", name="B) 64")).to_be_checked()
    assert page.context.browser is not None
    elsewhere = page.context.browser.new_context().new_page()
    open_form(elsewhere, studio, run, "waiting")
    expect(form_of(elsewhere).get_by_role("textbox")).to_have_value("The square of the hyp")
    elsewhere.context.close()


def test_the_second_of_two_tabs_learns_that_the_calls_are_answered(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = waiting_run(client, endpoint, recorded_calls()[0])
    endpoint.will_answer("Well done.")
    second = page.context.new_page()
    open_form(page, studio, run)
    open_form(second, studio, run)

    answer_quiz(page, 0, "first", "A) 100")
    submit_of(page).click()

    expect(page.get_by_text("Well done.")).to_be_visible()
    expect(second.get_by_text("These calls have been answered already")).to_be_visible()
    expect(second.get_by_text("Well done.")).to_be_visible()
    expect(page.get_by_text("These calls have been answered already")).to_be_hidden()
    assert outputs_sent(endpoint) == [["first", "A) 100"]]


def test_a_run_that_expires_while_its_form_is_open_says_so_and_shows_what_was_typed(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = waiting_run(client, endpoint, recorded_calls()[0], run_expires_after=12)
    open_form(page, studio, run)
    form_of(page).get_by_role("textbox").fill("almost done")
    page.keyboard.press("Tab")

    expect(page.get_by_text("The run expired while this form was open")).to_be_visible(
        timeout=60_000
    )
    page.get_by_text("What you had typed").click()
    expect(page.get_by_text("almost done")).to_be_visible()


def test_cancelling_is_one_click(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = waiting_run(client, endpoint, recorded_calls()[0])
    open_form(page, studio, run)

    form_of(page).get_by_role("button", name="Cancel the run").click()

    expect(page.get_by_text("You stopped this answer.")).to_be_visible()


def test_the_menu_counts_the_runs_that_wait(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    page.goto(studio)
    expect(page.get_by_role("link", name=re.compile("Waiting"))).to_be_visible()

    waiting_run(client, endpoint, recorded_calls()[0])

    expect(page.get_by_role("link", name=re.compile(r"Waiting\s*1"))).to_be_visible()


def test_hostile_texts_stay_texts(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    calls_home: list[str] = []
    page.on("request", lambda request: calls_home.append(request.url))
    page.on("dialog", lambda dialog: calls_home.append(dialog.message))
    calls = [("display_quiz", HOSTILE_ARGUMENTS[why]) for why in HOSTILE_TO_BROWSERS]
    run = waiting_run(client, endpoint, *calls)

    open_form(page, studio, run)

    expect(form_of(page).get_by_text("6 of 6")).to_be_visible()
    expect(page).to_have_title(re.compile("Assistants Studio"))
    assert [url for url in calls_home if "127.0.0.1" not in url and url[:5] != "data:"] == []
    widths = page.evaluate("[document.body.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1]


def expect_draft(client: OpenAI, run: Run, text: str) -> None:
    """Wait until the server has kept this text."""
    path = f"/threads/{run.thread_id}/runs/{run.id}/draft"
    while text not in client.get(path, cast_to=dict[str, Any])["values"].values():
        pass
