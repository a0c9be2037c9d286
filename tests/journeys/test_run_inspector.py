"""A person looks into runs of every kind, and lets one assistant answer many prompts."""

import pytest
from openai import OpenAI
from playwright.sync_api import Locator, Page, expect

from lib.dashboard.function_forms.ready_made import ASK_APPROVAL
from tests.doubles.model_endpoint import ModelEndpoint
from tests.journeys import kinds_of_runs as kinds
from tests.journeys.conftest import Shot
from tests.journeys.interaction import click_until, settle

# A browser on a busy machine takes its time.
pytestmark = pytest.mark.timeout(400)

ROW_HEIGHT = 35
"""Pixels of a row in a table; the first row holds the column names."""
NAME_FROM_LEFT = 180
STEP_FROM_LEFT = 100


@pytest.fixture
def code_interpreter(request: pytest.FixtureRequest) -> str:
    runs_code = any(word in request.node.name for word in ("code", "failed-later"))
    return "auto" if runs_code else "off"


def steps_of(page: Page) -> Locator:
    """The table of the steps; the one above it holds the runs."""
    return page.get_by_test_id("stDataFrame").nth(1)


def open_step(page: Page, number: int) -> None:
    """Click on a step's name, the first is 1, and wait until all of it is there."""
    invitation = page.get_by_text("Choose a step to see it whole.")
    # While the page is drawn anew, what was there before may still stand beside it.
    expect(invitation.last).to_be_visible()
    settle(page)
    name = (STEP_FROM_LEFT, int((number + 0.5) * ROW_HEIGHT))
    click_until(steps_of(page), name, lambda: expect(invitation).to_have_count(0, timeout=3_000))


@pytest.mark.parametrize(
    ("kind", "said", "opened"),
    [
        pytest.param(kinds.text, "Answered in", "about twenty degrees.", id="text"),
        pytest.param(kinds.code, "Ran Python once, answered in", "twenty degrees at 15", id="code"),
        pytest.param(
            kinds.search, "Searched one file, answered in", "how warm is it in summer", id="search"
        ),
        pytest.param(
            kinds.function,
            "Asked a program for get_weather, answered in",
            "given by a program, through the API",
            id="function",
        ),
        pytest.param(
            kinds.failed_after_code,
            "It failed after step 1 (tool calls)",
            "ZeroDivisionError",
            id="failed-later",
        ),
        pytest.param(kinds.broken_off, "The run failed:", "It is", id="failed-broken-off"),
        pytest.param(kinds.filtered, "The run failed:", "It is warm because", id="failed-filtered"),
        pytest.param(
            kinds.incomplete, "The answer was cut short because", "It is", id="incomplete"
        ),
        pytest.param(
            kinds.cancelled, "Asked you one question, was stopped", "Oslo", id="cancelled"
        ),
        pytest.param(
            kinds.expired, "The run expired before it could finish.", "Oslo", id="expired"
        ),
    ],
)
def test_a_run_says_what_it_did_and_its_first_step_shows_how(
    kind: kinds.Kind,
    said: str,
    opened: str,
    request: pytest.FixtureRequest,
    page: Page,
    studio: str,
    client: OpenAI,
    endpoint: ModelEndpoint,
    shot: Shot,
) -> None:
    run = kind(client, endpoint)
    name = request.node.callspec.id

    page.goto(f"{studio}/runs?run={run.id}&thread={run.thread_id}")

    expect(page.get_by_text(said).first).to_be_visible()
    open_step(page, 1)
    expect(page.get_by_text(opened).last).to_be_visible()
    shot(page, f"{name}-step")
    page.get_by_text("Timeline", exact=True).click()
    expect(page.get_by_text("Seconds since the run was created").first).to_be_visible()
    shot(page, f"{name}-timeline")
    page.get_by_text("Events", exact=True).click()
    expect(page.get_by_text("Choose an event to see what it carried.")).to_be_visible()
    page.get_by_text("Model calls", exact=True).click()
    expect(page.get_by_text("Exactly what the model was shown in call")).to_be_visible()
    shot(page, f"{name}-model-calls")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        pytest.param(kinds.refused, "The prompt is too strange", id="failed-refused"),
        pytest.param(kinds.key_refused, "key", id="failed-key"),
        pytest.param(kinds.out_of_quota, "quota", id="failed-quota"),
    ],
)
def test_a_run_that_failed_at_once_says_why_and_what_to_do(
    kind: kinds.Kind,
    said: str,
    request: pytest.FixtureRequest,
    page: Page,
    studio: str,
    client: OpenAI,
    endpoint: ModelEndpoint,
    shot: Shot,
) -> None:
    run = kind(client, endpoint)

    page.goto(f"{studio}/runs?run={run.id}&thread={run.thread_id}")

    problem = page.get_by_test_id("stAlert").filter(has_text="The run failed:")
    expect(problem).to_contain_text(said)
    expect(problem).to_contain_text("It failed before its first step")
    expect(page.get_by_text("This run made no steps.")).to_be_visible()
    shot(page, request.node.callspec.id)


def test_the_code_of_a_step_is_shown_with_its_output_and_its_figure(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = kinds.code(client, endpoint)
    page.goto(f"{studio}/runs?run={run.id}&thread={run.thread_id}")

    open_step(page, 1)

    expect(page.get_by_text("plt.plot(hours, degrees").first).to_be_visible()
    expect(page.get_by_text("twenty degrees at 15", exact=True).last).to_be_visible()
    expect(page.get_by_role("img", name="Figure made by the code")).to_be_visible()


def test_a_search_shows_what_was_looked_for_and_the_passages_with_their_scores(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint, shot: Shot
) -> None:
    run = kinds.search(client, endpoint)
    page.goto(f"{studio}/runs?run={run.id}&thread={run.thread_id}")

    open_step(page, 1)

    expect(page.get_by_text("1. handbook.md · score")).to_be_visible()
    expect(page.get_by_text("“how warm is it in summer”")).to_be_visible()
    expect(page.get_by_text("twenty degrees warm at noon").last).to_be_visible()
    shot(page, "search-passage")


def test_a_person_answers_on_the_page_and_the_step_says_who_and_when(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint, shot: Shot
) -> None:
    endpoint.will_call(("ask_approval", {"action": "Close the harbour"}))
    endpoint.will_answer("It is closed.")
    run = kinds.ask(client, {"type": "function", "function": ASK_APPROVAL})
    page.goto(f"{studio}/runs?run={run.id}&thread={run.thread_id}")
    form = page.locator(".st-key-waiting_form")
    expect(form).to_contain_text("Close the harbour")
    shot(page, "person-asked")

    form.get_by_text("Yes", exact=True).click()
    form.get_by_role("button", name="Submit").click()

    expect(page.get_by_text("Asked you one question, answered in")).to_be_visible()
    open_step(page, 1)
    expect(page.get_by_text("given by a person in this dashboard")).to_be_visible()
    failed = page.get_by_test_id("stMetric").filter(has_text="Failed or expired")
    expect(failed).to_contain_text("0%")
    shot(page, "person-answered")


def test_the_figures_of_an_assistant_are_a_click_away(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint, shot: Shot
) -> None:
    kinds.text(client, endpoint)
    kinds.refused(client, endpoint)
    page.goto(studio)

    page.get_by_role("link", name="Runs").last.click()

    expect(page.get_by_text("Half within")).to_be_visible()
    page.get_by_text("Figures over time").click()
    expect(page.get_by_text("Runs a day")).to_be_visible()
    shot(page, "figures")


def test_a_run_is_asked_again_and_compared_with_the_first(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint, shot: Shot
) -> None:
    run = kinds.text(client, endpoint)
    endpoint.will_answer("It is rather cold.")
    page.goto(f"{studio}/runs?run={run.id}&thread={run.thread_id}")

    page.get_by_role("button", name="Run again").click()
    page.get_by_test_id("stFormSubmitButton").get_by_role("button", name="Run again").click()

    expect(page.get_by_text("It is rather cold.")).to_be_visible()
    expect(page.get_by_text("It is warm: about twenty degrees.")).to_be_visible()
    expect(page.locator("strong", has_text="The other run")).to_be_visible()
    expect(page.get_by_test_id("stFormSubmitButton")).to_have_count(0)
    shot(page, "compare")


def test_a_run_and_its_step_open_with_a_click_on_their_names(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    kinds.text(client, endpoint)
    page.goto(f"{studio}/runs")
    runs = page.get_by_test_id("stDataFrame").first
    expect(runs.locator("canvas").first).to_be_visible()
    settle(page)

    opened = expect(page.get_by_role("heading", name="How warm is it?"))
    name = (NAME_FROM_LEFT, int(1.5 * ROW_HEIGHT))
    click_until(runs, name, lambda: opened.to_be_visible(timeout=3_000))
    open_step(page, 1)

    said = page.get_by_test_id("stMarkdown").filter(has_text="It is warm: about twenty degrees.")
    expect(said).to_be_visible()


def test_a_batch_goes_on_while_its_page_is_closed(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    client.beta.assistants.create(model="gpt-4o-mini", name="Tutor")
    endpoint.default_answer("Fine.", initial_delay=0.5)
    page.goto(f"{studio}/batch")
    page.get_by_role("textbox", name="Prompts, one a line").fill("\n".join("abcdefghijkl"))
    page.get_by_role("button", name="Run them all").click()
    expect(page.get_by_text("of 12 done")).to_be_visible()
    address, context = page.url, page.context

    page.close()

    later = context.new_page()
    later.goto(address)
    expect(later.get_by_text("12 of 12 done")).to_be_visible()
