from openai import OpenAI

from lib.dashboard.chat_view import SUGGESTIONS
from tests.doubles.model_endpoint import ModelEndpoint
from tests.pages.conftest import OpenPage
from tests.pages.elements import button, words

QUESTION = "I need to solve the equation `3x + 11 = 14`. Can you help me?"


def tutor(client: OpenAI) -> str:
    return client.beta.assistants.create(model="gpt-4o-mini", name="Math Tutor").id


def test_without_an_assistant_the_chat_says_what_to_do_first(open_page: OpenPage) -> None:
    page = open_page("chat")

    assert not page.exception
    assert "Create your first assistant" in words(page)
    assert button(page, "Create the Math Tutor")


def test_a_question_is_answered_with_its_mathematics(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    tutor(client)
    endpoint.will_answer(r"Subtract 11, divide by 3: \( x = 1 \).")
    page = open_page("chat")

    page.chat_input[0].set_value(QUESTION).run()

    assert not page.exception
    assert "Subtract 11, divide by 3: $x = 1$." in words(page)
    assert page.query_params["run"].startswith("run_")
    assert page.query_params["thread"].startswith("thread_")


def test_a_suggestion_asks_by_one_click(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    tutor(client)
    endpoint.will_answer("x is 1.")
    page = open_page("chat")

    page.pills[0].set_value(next(iter(SUGGESTIONS))).run()

    assert not page.exception
    assert QUESTION in words(page)
    assert "x is 1." in words(page)


def test_a_failed_run_says_why_and_what_to_do(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    tutor(client)
    endpoint.will_fail(400, message="The prompt is not acceptable.")
    page = open_page("chat")

    page.chat_input[0].set_value("Hello").run()

    assert not page.exception
    assert len(page.error) == 1
    assert page.error[0].value.startswith("The run failed:")
    assert button(page, "Try again")


def test_trying_again_answers_the_same_question(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    tutor(client)
    endpoint.will_fail(400)
    page = open_page("chat")
    page.chat_input[0].set_value("Hello").run()
    endpoint.will_answer("Hello to you.")

    button(page, "Try again").click().run()

    assert "Hello to you." in words(page)
    assert not page.error


def test_a_link_opens_its_thread(open_page: OpenPage, client: OpenAI) -> None:
    tutor(client)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Remember me"}])

    page = open_page("chat", thread=thread.id)

    assert "Remember me" in words(page)
    assert button(page, "Get an answer")


def test_a_link_to_a_deleted_thread_is_said_in_a_sentence(
    open_page: OpenPage, client: OpenAI
) -> None:
    tutor(client)

    page = open_page("chat", thread="thread_gone")

    assert not page.exception
    assert page.error[0].value.startswith("This thread does not exist any more")


def test_a_long_thread_shows_the_newest_and_more_on_demand(
    open_page: OpenPage, client: OpenAI
) -> None:
    tutor(client)
    thread = client.beta.threads.create()
    for number in range(53):
        client.beta.threads.messages.create(thread.id, role="user", content=f"Note {number}")
    page = open_page("chat", thread=thread.id)
    assert "Note 2" not in words(page).splitlines()
    assert "Note 3" in words(page).splitlines()

    button(page, "Show earlier").click().run()

    assert "Note 0" in words(page).splitlines()


def test_threads_are_listed_with_their_titles(open_page: OpenPage, client: OpenAI) -> None:
    tutor(client)
    client.beta.threads.create(metadata={"title": "Fractions"})

    page = open_page("chat")

    button(page, "Fractions").click().run()
    assert "Fractions" in [heading.value for heading in page.subheader]
