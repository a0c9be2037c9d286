from openai import OpenAI
from openai.types.beta.threads import Run

from tests.doubles.model_endpoint import ModelEndpoint
from tests.pages.conftest import OpenPage
from tests.pages.elements import button, words


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
