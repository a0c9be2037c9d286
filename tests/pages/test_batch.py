import time

from openai import OpenAI
from streamlit.testing.v1 import AppTest

from tests.doubles.model_endpoint import ModelEndpoint
from tests.pages.conftest import OpenPage
from tests.pages.elements import button, words

PATIENCE = 60.0


def start_batch(page: AppTest, prompts: str) -> None:
    page.text_area[0].set_value(prompts)
    button(page, "Run them all").click().run()


def wait_until(page: AppTest, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while what not in page.get("progress")[0].proto.text:
        assert time.monotonic() < deadline, page.get("progress")[0].proto.text
        page.run()


def test_without_an_assistant_the_page_leads_to_making_one(open_page: OpenPage) -> None:
    page = open_page("batch")

    assert not page.exception
    assert "Create an assistant first" in words(page)


def test_pasted_prompts_are_answered_one_a_line(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    client.beta.assistants.create(model="gpt-4o-mini", name="Math Tutor")
    endpoint.default_answer("Four.")
    page = open_page("batch")

    start_batch(page, "What is 2 + 2?\n\nWhat is 3 + 1?")
    wait_until(page, "2 of 2 done")

    table = page.dataframe[0].value
    assert not page.exception
    assert table["prompt"].tolist() == ["What is 2 + 2?", "What is 3 + 1?"]
    assert table["answer"].tolist() == ["Four.", "Four."]


def test_a_batch_is_found_again_by_its_address(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    client.beta.assistants.create(model="gpt-4o-mini")
    endpoint.default_answer("Four.")
    page = open_page("batch")
    start_batch(page, "What is 2 + 2?")
    batch_id = page.query_params["batch"]
    batch_id = batch_id if isinstance(batch_id, str) else batch_id[0]

    later = open_page("batch", batch=batch_id)
    wait_until(later, "1 of 1 done")

    assert later.dataframe[0].value["answer"].tolist() == ["Four."]


def test_the_failed_can_be_retried(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    client.beta.assistants.create(model="gpt-4o-mini")
    endpoint.will_fail(400, message="Too strange.")
    page = open_page("batch")
    start_batch(page, "What is 2 + 2?")
    wait_until(page, "1 failed")
    endpoint.default_answer("Four.")

    button(page, "Retry the 1 failed").click().run()
    wait_until(page, "1 of 1 done")
    page.run()

    assert page.dataframe[0].value["answer"].tolist() == ["Four."]


def test_no_prompts_are_said_in_a_sentence(open_page: OpenPage, client: OpenAI) -> None:
    client.beta.assistants.create(model="gpt-4o-mini")
    page = open_page("batch")

    start_batch(page, "  \n ")

    assert "There are no prompts yet" in words(page)
