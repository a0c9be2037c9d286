from pathlib import Path
from typing import Any

from openai import OpenAI
from openai.types.beta.threads import Run
from streamlit.testing.v1 import AppTest

from lib.dashboard.function_forms.ready_made import ASK_APPROVAL
from tests.doubles.model_endpoint import ModelEndpoint
from tests.pages.conftest import OpenPage
from tests.pages.elements import button, words

KEY = "sk-proj-Ab3dEf6hIj9kLm2nOp5"


def finished_run(client: OpenAI, question: str = "How much is 2 + 2?") -> Run:
    assistant = client.beta.assistants.create(model="gpt-4o-mini", name="Math Tutor")
    return client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": question}]},
        poll_interval_ms=20,
    )


def test_without_runs_the_page_leads_to_the_chat(open_page: OpenPage) -> None:
    page = open_page("runs")

    assert not page.exception
    assert "No runs yet" in words(page)
    assert "Ask something" in [link.value for link in page.page_link]


def test_the_table_names_assistant_thread_model_and_tokens(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    endpoint.will_answer("Four.")
    run = finished_run(client)

    page = open_page("runs")

    row = page.dataframe[0].value.iloc[0]
    assert not page.exception
    assert list(row["status"]) == ["Completed"]
    assert row["assistant"] == "Math Tutor"
    assert row["thread"] == "How much is 2 + 2?"
    assert row["model"] == "gpt-4o-mini"
    assert run.usage is not None
    assert row["tokens_in"] == run.usage.prompt_tokens
    assert row["tokens_out"] == run.usage.completion_tokens


def test_a_link_opens_a_run_with_its_steps(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    endpoint.will_answer("Four.")
    run = finished_run(client)

    page = open_page("runs", run=run.id)

    steps = page.dataframe[1].value
    assert not page.exception
    assert steps["type"].tolist() == ["Message"]
    assert steps["result"].tolist() == ["Four."]


def test_a_failed_run_shows_its_error_in_words(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    endpoint.will_fail(400, message="Too strange.")
    run = finished_run(client)

    page = open_page("runs", run=run.id, thread=run.thread_id)

    assert page.dataframe[0].value.iloc[0]["problem"].startswith("The run failed:")
    assert page.error[0].value.startswith("The run failed:")


def test_older_runs_are_a_page_away(open_page: OpenPage, client: OpenAI) -> None:
    first = finished_run(client, "The very first")
    for _ in range(15):
        client.beta.threads.create_and_run_poll(
            assistant_id=first.assistant_id,
            thread={"messages": [{"role": "user", "content": "Another"}]},
            poll_interval_ms=20,
        )
    page = open_page("runs")
    assert len(page.dataframe[0].value) == 15

    button(page, "Older").click().run()

    assert page.dataframe[0].value["thread"].tolist() == ["The very first"]


def test_a_link_to_a_run_that_is_gone_is_said_in_a_sentence(
    open_page: OpenPage, client: OpenAI
) -> None:
    finished_run(client)

    page = open_page("runs", run="run_gone")

    assert not page.exception
    assert "The run of this link does not exist any more." in words(page)


def waiting_run(client: OpenAI, endpoint: ModelEndpoint, *functions: Any) -> Run:
    """A run that calls the first of the functions."""
    endpoint.will_call((functions[0]["name"], {"city": "Oslo"}))
    endpoint.will_answer("It is warm.")
    tools: Any = [{"type": "function", "function": one} for one in functions]
    assistant = client.beta.assistants.create(model="gpt-4o-mini", name="Guide", tools=tools)
    return client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "How warm is it?"}]},
        poll_interval_ms=20,
    )


def open_step(page: AppTest, run: Run, number: int) -> AppTest:
    """Choose a step in the table, the first is 0."""
    chosen = {"selection": {"rows": [number], "columns": [], "cells": []}}
    page.session_state[f"steps_{run.id}"] = chosen
    return page.run()


def answer_by_program(client: OpenAI, run: Run, output: str) -> Run:
    assert run.required_action
    [call] = run.required_action.submit_tool_outputs.tool_calls
    return client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=run.thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": output}],
        poll_interval_ms=20,
    )


def test_a_person_s_answer_is_shown_with_who_gave_it_and_when(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = waiting_run(client, endpoint, ASK_APPROVAL)
    page = open_page("runs", run=run.id)
    approve = next(one for one in page.segmented_control if one.label != "Part")
    approve.set_value(True).run()
    button(page, "Submit").click().run()
    client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=20)

    page = open_step(open_page("runs", run=run.id), run, 0)

    assert not page.exception
    assert "**Answer** given by a person in this dashboard, 2" in words(page)
    assert '{\n  "approved": true\n}' in [code.value for code in page.code]
    assert "Asked you one question" in words(page)


def test_a_program_s_answer_is_shown_with_when_it_came(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = waiting_run(client, endpoint, {"name": "get_weather"})
    answer_by_program(client, run, "20 degrees")

    page = open_step(open_page("runs", run=run.id), run, 0)

    assert not page.exception
    assert "**Answer** given by a program, through the API, 2" in words(page)
    assert [code.value for code in page.code] == ['{\n  "city": "Oslo"\n}', "20 degrees"]
    assert "Asked a program for get_weather" in words(page)


def test_the_answer_of_a_function_that_the_server_ran_says_so(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint, functions_dir: Path
) -> None:
    (functions_dir / "weather.py").write_text(
        "def get_weather(city: str) -> str:\n    return f'20 degrees in {city}'\n"
    )
    run = waiting_run(client, endpoint, {"name": "get_weather", "run": "auto"})
    assert run.status == "completed"

    page = open_step(open_page("runs", run=run.id), run, 0)

    assert not page.exception
    assert "**Answer** given by this server, which ran the function, 2" in words(page)
    assert "20 degrees in Oslo" in [code.value for code in page.code]
    assert "Ran get_weather once" in words(page)


def test_keys_in_a_run_are_masked_wherever_the_page_shows_them(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = waiting_run(client, endpoint, {"name": "get_weather"})
    answer_by_program(client, run, f"Use {KEY}")
    client.beta.threads.messages.create(run.thread_id, role="user", content=f"It is {KEY}")
    second = client.beta.threads.runs.create_and_poll(
        thread_id=run.thread_id,
        assistant_id=run.assistant_id,
        instructions=f"Use {KEY}",
        poll_interval_ms=20,
    )

    step = open_step(open_page("runs", run=run.id), run, 0)
    shown = open_page("runs", run=second.id)
    shown.session_state[f"code_run_{second.id}"] = True
    shown.run()

    assert "Use •••" in [code.value for code in step.code]
    assert not shown.exception
    raw = [code.value for code in shown.code]
    assert any('"instructions": "Use •••"' in text for text in raw)
    assert not any(KEY in text for text in raw)


def test_an_assistant_s_runs_are_a_link_away(open_page: OpenPage, client: OpenAI) -> None:
    run = finished_run(client, "Of the tutor")
    other = client.beta.assistants.create(model="gpt-4o-mini", name="Poet")
    client.beta.threads.create_and_run_poll(
        assistant_id=other.id,
        thread={"messages": [{"role": "user", "content": "Of the poet"}]},
        poll_interval_ms=20,
    )

    links = [link.proto.query_string for link in open_page("assistants").get("page_link")]
    page = open_page("runs", assistant=run.assistant_id)

    assert f"assistant={run.assistant_id}" in links
    assert page.dataframe[0].value["thread"].tolist() == ["Of the tutor"]
    assert (page.metric[0].label, page.metric[0].value) == ("Runs", "1")
    assistant = next(one for one in page.selectbox if one.label == "Assistant")
    assistant.set_value(other.id).run()
    assert page.dataframe[0].value["thread"].tolist() == ["Of the poet"]


def test_a_thread_s_runs_are_a_link_away(open_page: OpenPage, client: OpenAI) -> None:
    run = finished_run(client, "This thread")
    finished_run(client, "Another thread")

    chat = open_page("chat", thread=run.thread_id)
    page = open_page("runs", of=run.thread_id)

    links = [link.proto.query_string for link in chat.get("page_link")]
    assert f"of={run.thread_id}" in links
    assert page.dataframe[0].value["thread"].tolist() == ["This thread"]
    assert button(page, "All threads")
