"""Code Interpreter on the pages: switch and files, code and outputs, files of messages."""

import pytest
from openai import OpenAI
from openai.types.beta import Assistant
from openai.types.beta.threads import Run

from lib.dashboard.studio_api import read_health
from tests.doubles.model_endpoint import ModelEndpoint
from tests.pages.conftest import OpenPage
from tests.pages.elements import button, words

TABLE_AND_PLOT = """\
import matplotlib.pyplot as plt
plt.plot([1, 2])
open('/mnt/data/out.csv', 'w').write('n,square\\n2,4\\n');
print('twenty numbers')"""


@pytest.fixture
def code_interpreter() -> str:
    return "auto"


def coder(client: OpenAI, file_ids: list[str] | None = None) -> Assistant:
    while read_health(client).code_interpreter.starting:
        pass
    return client.beta.assistants.create(
        model="gpt-4o-mini",
        name="Math Tutor",
        tools=[{"type": "code_interpreter"}],
        tool_resources={"code_interpreter": {"file_ids": file_ids or []}},
    )


def run_code(client: OpenAI, endpoint: ModelEndpoint, code: str, answer: str) -> Run:
    endpoint.will_call(("code_interpreter", {"code": code}))
    endpoint.will_answer(answer)
    return client.beta.threads.create_and_run_poll(
        assistant_id=coder(client).id,
        thread={"messages": [{"role": "user", "content": "Use code."}]},
        poll_interval_ms=20,
    )


def test_a_finished_thread_shows_code_output_image_and_file(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    said = "Done, see [out.csv](sandbox:/mnt/data/out.csv)."
    run = run_code(client, endpoint, TABLE_AND_PLOT, said)

    page = open_page("chat", thread=run.thread_id)

    assert not page.exception
    assert [code.value for code in page.code] == [TABLE_AND_PLOT, "twenty numbers"]
    assert [status.label for status in page.status] == ["Ran Python code"]
    assert len(page.get("image")) == 1
    assert "Done, see **out.csv**." in words(page)
    assert "out.csv :gray[13 bytes]" in words(page)
    assert [one.label for one in page.download_button] == ["Download"]


def test_a_file_is_previewed_on_demand(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = run_code(client, endpoint, TABLE_AND_PLOT, "Done.")
    page = open_page("chat", thread=run.thread_id)

    button(page, "Preview").click().run()

    assert not page.exception
    assert page.dataframe[0].value.to_dict("list") == {"n": ["2"], "square": ["4"]}


def test_a_page_that_code_made_is_shown_as_text(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    html = "<script>alert(1)</script>"
    run = run_code(client, endpoint, f"open('/mnt/data/x.html', 'w').write('{html}');", "Done.")
    page = open_page("chat", thread=run.thread_id)

    button(page, "Preview").click().run()

    assert page.code[-1].value == html
    assert not page.get("html")


def test_a_run_that_failed_still_shows_its_code(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    endpoint.will_call(("code_interpreter", {"code": "1 / 0"}))
    endpoint.will_fail(400)
    run = client.beta.threads.create_and_run_poll(
        assistant_id=coder(client).id,
        thread={"messages": [{"role": "user", "content": "Use code."}]},
        poll_interval_ms=20,
    )

    page = open_page("chat", thread=run.thread_id)

    assert [status.label for status in page.status] == ["Python code, stopped by an error"]
    assert page.code[1].value.endswith("ZeroDivisionError: division by zero")


def test_a_file_goes_along_with_a_question(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    coder(client)
    endpoint.will_call(("code_interpreter", {"code": "print(open('/mnt/data/sales.csv').read())"}))
    endpoint.will_answer("It has one line.")
    page = open_page("chat")

    page.chat_input[0].upload("sales.csv", b"a,b\n").set_value("How long is it?").run()

    assert not page.exception
    assert "It has one line." in words(page)
    assert "sales.csv" in words(page)
    (thread,) = client.get("/threads", cast_to=object)["data"]  # type: ignore[index]
    question = client.beta.threads.messages.list(thread["id"], order="asc").data[0]
    assert question.attachments
    assert [tool.type for tool in question.attachments[0].tools or []] == ["code_interpreter"]


def test_an_opened_step_shows_code_and_outputs(
    open_page: OpenPage, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    run = run_code(client, endpoint, TABLE_AND_PLOT, "Done.")
    page = open_page("runs", run=run.id, thread=run.thread_id)

    page.session_state[f"steps_{run.id}"] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    page.run()

    assert not page.exception
    assert [code.value for code in page.code][:2] == [TABLE_AND_PLOT, "twenty numbers"]
    assert len(page.get("image")) == 1


def test_the_settings_page_says_which_sandbox_is_active(
    open_page: OpenPage, client: OpenAI
) -> None:
    coder(client)

    page = open_page("settings")

    assert "Code runs in a sandbox" in words(page)


class TestSwitchedOff:
    @pytest.fixture
    def code_interpreter(self) -> str:
        return "off"

    def test_the_chat_says_so_before_anyone_tries(
        self, open_page: OpenPage, client: OpenAI
    ) -> None:
        coder(client)

        page = open_page("chat")

        assert len(page.warning) == 1
        assert "CODE_INTERPRETER" in page.warning[0].value

    def test_the_form_says_so_at_the_switch(self, open_page: OpenPage, client: OpenAI) -> None:
        coder(client)
        page = open_page("assistants")

        button(page, "Edit").click().run()

        assert "CODE_INTERPRETER" in page.warning[0].value
