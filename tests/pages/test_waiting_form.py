"""The form for waiting function calls, on every page that shows it."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta.threads import Run

from lib.dashboard.function_forms.ready_made import ASK_APPROVAL, COLLECT_DATA, DISPLAY_QUIZ
from tests.dashboard.function_forms.hostile_arguments import HOSTILE_ARGUMENTS
from tests.doubles.model_endpoint import ModelEndpoint
from tests.pages.conftest import OpenPage
from tests.pages.elements import button, words

QUIZ = {
    "title": "Math Quiz",
    "questions": [
        {"question_text": "Explain Pythagoras.", "question_type": "FREE RESPONSE"},
        {"question_text": "8^2 + 6^2?", "choices": ["A) 100", "B) 64"]},
    ],
}


def waiting_run(
    client: OpenAI, endpoint: ModelEndpoint, *calls: tuple[str, Any], **extra: Any
) -> Run:
    """A run that waits for these calls of the ready functions."""
    endpoint.will_call(*calls)
    tools: Any = [
        {"type": "function", "function": one} for one in (DISPLAY_QUIZ, ASK_APPROVAL, COLLECT_DATA)
    ]
    assistant = client.beta.assistants.create(
        model="gpt-4o-mini", name="Math Tutor", tools=tools, extra_body=extra or None
    )
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Make a quiz"}]},
        poll_interval_ms=10,
    )
    assert run.status == "requires_action", run.last_error
    return run


def outputs_sent(endpoint: ModelEndpoint) -> list[str]:
    messages = endpoint.last["messages"]
    return [message["content"] for message in messages if message["role"] == "tool"]


@pytest.mark.parametrize("page_name", ["chat", "runs", "waiting"])
def test_a_quiz_is_answered_on_every_page_that_shows_the_run(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint, page_name: str
) -> None:
    run = waiting_run(client, endpoint, ("display_quiz", QUIZ))
    endpoint.will_answer("Both are right.")
    page = open_page(page_name, run=run.id)
    assert "Your turn." in words(page)

    page.text_area[0].set_value("a² + b² = c²").run()
    page.radio[0].set_value(0).run()
    button(page, "Submit").click().run()

    assert not page.exception
    done = client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=10)
    assert done.status == "completed"
    assert json.loads(outputs_sent(endpoint)[0]) == ["a² + b² = c²", "A) 100"]


def test_the_answer_goes_on_in_the_chat(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = waiting_run(client, endpoint, ("ask_approval", {"action": "Delete the file"}))
    endpoint.will_answer("It is deleted.")
    page = open_page("chat", run=run.id)

    page.segmented_control[0].set_value(True).run()
    button(page, "Submit").click().run()

    assert not page.exception
    assert "It is deleted." in words(page)
    assert json.loads(outputs_sent(endpoint)[0]) == {"approved": True}


def test_several_calls_stand_in_order_with_one_submit(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    calls = [("ask_approval", {"action": f"Step {number}"}) for number in (1, 2)]
    run = waiting_run(client, endpoint, *calls)
    page = open_page("chat", run=run.id)
    shown = words(page)
    assert shown.index("Step 1") < shown.index("Step 2")

    button(page, "Submit all 2").click().run()

    assert "2 answers are missing or not right yet." in page.error[0].value
    assert "Choose an answer for Approve this action?" in words(page).replace("\\", "")


def test_typed_values_outlive_the_session_and_the_page(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = waiting_run(client, endpoint, ("display_quiz", QUIZ))
    page = open_page("chat", run=run.id)
    page.text_area[0].set_value("half an ans").run()
    page.radio[0].set_value(1).run()

    elsewhere = open_page("waiting", run=run.id)

    assert elsewhere.text_area[0].value == "half an ans"
    assert elsewhere.radio[0].value == 1


def test_a_run_that_was_answered_elsewhere_is_said(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = waiting_run(client, endpoint, ("ask_approval", {"action": "Go"}))
    endpoint.will_answer("Thank you.")
    page = open_page("chat", run=run.id)
    page.segmented_control[0].set_value(True).run()
    assert run.required_action is not None
    call = run.required_action.submit_tool_outputs.tool_calls[0]
    client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=run.thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": "no"}],
        poll_interval_ms=10,
    )

    button(page, "Submit").click().run()

    assert not page.exception
    assert page.warning[0].value.startswith("These calls have been answered already")
    assert outputs_sent(endpoint) == ["no"]


def test_a_run_that_was_cancelled_elsewhere_is_said_and_shows_what_was_typed(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = waiting_run(client, endpoint, ("display_quiz", QUIZ))
    page = open_page("chat", run=run.id)
    page.text_area[0].set_value("much work").run()
    client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=10)

    button(page, "Submit").click().run()
    page.run()

    assert page.warning[0].value.startswith("The run was cancelled elsewhere")
    assert "much work" in [code.value for code in page.code]


def test_cancelling_is_one_click(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = waiting_run(client, endpoint, ("display_quiz", QUIZ))
    page = open_page("chat", run=run.id)

    button(page, "Cancel the run").click().run()

    done = client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=10)
    assert done.status == "cancelled"
    assert not page.exception


@pytest.mark.parametrize("why", HOSTILE_ARGUMENTS)
def test_no_arguments_break_the_page_and_all_can_be_answered(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint, why: str
) -> None:
    run = waiting_run(client, endpoint, ("display_quiz", HOSTILE_ARGUMENTS[why]))
    endpoint.will_answer("Thank you.")
    page = open_page("chat", run=run.id)
    assert not page.exception

    if page.toggle:
        page.toggle[0].set_value(True).run()
    page.text_area[-1].set_value("an answer").run()
    button(page, "Submit").click().run()

    assert not page.exception
    assert outputs_sent(endpoint) == ["an answer"]


def test_entries_of_a_list_are_added_and_removed(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    schema = {"type": "array", "items": {"type": "string", "title": "City"}, "title": "Cities"}
    endpoint.will_call(("ask_cities", {}))
    tool: Any = {"type": "function", "function": {"name": "ask_cities", "result_schema": schema}}
    assistant = client.beta.assistants.create(model="gpt-4o-mini", tools=[tool])
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Where?"}]},
        poll_interval_ms=10,
    )
    endpoint.will_answer("Fine.")
    page = open_page("chat", run=run.id)

    for number, city in enumerate(["Oslo", "Rome", "Bonn"]):
        button(page, "Add").click().run()
        page.text_input[number].set_value(city).run()
    button(page, "Remove 2").click().run()
    button(page, "Submit").click().run()

    assert not page.exception
    assert json.loads(outputs_sent(endpoint)[0]) == ["Oslo", "Bonn"]


def test_files_are_uploaded_and_answered_by_their_ids(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    asked = {"fields": [{"name": "report", "label": "Report", "type": "file"}]}
    run = waiting_run(client, endpoint, ("collect_data", asked))
    endpoint.will_answer("Fine.")
    page = open_page("chat", run=run.id)

    page.file_uploader[0].upload("report.txt", b"all is well").run()
    button(page, "Submit").click().run()

    [file] = client.files.list().data
    assert not page.exception
    assert json.loads(outputs_sent(endpoint)[0]) == {"report": file.id}
    assert file.filename == "report.txt"


def test_waiting_runs_are_listed_by_the_time_they_have_left(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    waiting_run(client, endpoint, ("display_quiz", QUIZ), run_expires_after=86_400)
    soon = waiting_run(client, endpoint, ("ask_approval", {"action": "Go"}), run_expires_after=90)

    page = open_page("waiting")

    shown = words(page)
    assert shown.index("ask_approval".replace("_", "\\_")) < shown.index("display\\_quiz")
    assert page.query_params["run"] == [soon.id] or page.query_params["run"] == soon.id


def test_nothing_waiting_is_said(open_page: OpenPage) -> None:
    page = open_page("waiting")

    assert not page.exception
    assert "Nothing waits for you" in words(page)


def test_a_link_to_a_run_that_is_gone_is_said(open_page: OpenPage, client: OpenAI) -> None:
    client.beta.assistants.create(model="gpt-4o-mini", name="Math Tutor")

    page = open_page("chat", run="run_gone")

    assert not page.exception
    assert page.error[0].value.startswith("The run of this link does not exist any more")


def test_a_run_expires_while_its_form_is_open(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = waiting_run(client, endpoint, ("display_quiz", QUIZ), run_expires_after=12)
    page = open_page("chat", run=run.id)
    page.text_area[0].set_value("too slow").run()
    while client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status != "expired":
        time.sleep(0.2)

    button(page, "Submit").click().run()

    assert not page.exception
    assert page.warning[0].value.startswith("The run expired while this form was open")


def test_a_function_of_the_server_is_run_and_its_output_submitted(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint, functions_dir: Path
) -> None:
    (functions_dir / "office.py").write_text(
        "def book(room: str, seats: int = 4) -> str:\n    return f'{room} for {seats}'\n"
    )
    tools: Any = client.get("/functions", cast_to=dict[str, Any])["data"]
    endpoint.will_call(("book", {"room": "Aula"}))
    assistant = client.beta.assistants.create(model="gpt-4o-mini", tools=tools)
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Book it"}]},
        poll_interval_ms=10,
    )
    endpoint.will_answer("Booked.")
    page = open_page("chat", run=run.id)

    button(page, "Edit").click().run()
    page.text_area[0].set_value('{"room": "Aula", "seats": 12}').run()
    button(page, "Run").click().run()
    button(page, "Submit").click().run()

    assert not page.exception
    assert outputs_sent(endpoint) == ["Aula for 12"]


def test_a_function_of_the_server_can_be_refused(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint, functions_dir: Path
) -> None:
    (functions_dir / "office.py").write_text("def book(room: str) -> str:\n    return room\n")
    tools: Any = client.get("/functions", cast_to=dict[str, Any])["data"]
    endpoint.will_call(("book", {"room": "Aula"}))
    assistant = client.beta.assistants.create(model="gpt-4o-mini", tools=tools)
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Book it"}]},
        poll_interval_ms=10,
    )
    endpoint.will_answer("All right.")
    page = open_page("chat", run=run.id)

    button(page, "Refuse").click().run()
    button(page, "Submit").click().run()

    assert outputs_sent(endpoint) == ["The person refused to run this function."]
