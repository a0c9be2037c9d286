"""Code Interpreter in the browser: code as it is written, its plot, its file."""

from pathlib import Path

import pytest
from openai import OpenAI
from playwright.sync_api import Page, expect

from tests.doubles.model_endpoint import ModelEndpoint
from tests.journeys.interaction import choose, settle

# A browser on a busy machine takes its time.
pytestmark = pytest.mark.timeout(400)

FIBONACCI = """\
import matplotlib.pyplot as plt
numbers = [0, 1]
while len(numbers) < 20:
    numbers.append(sum(numbers[-2:]))
print("the last one is", numbers[-1])
plt.plot(numbers)
with open("/mnt/data/fibonacci.csv", "w") as file:
    file.write("n\\n" + "\\n".join(map(str, numbers)))
"""
ANSWER = "The first 20 numbers are in [fibonacci.csv](sandbox:/mnt/data/fibonacci.csv)."


@pytest.fixture
def code_interpreter() -> str:
    return "auto"


def ask_for_fibonacci(page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint) -> None:
    client.beta.assistants.create(
        model="gpt-4o-mini", name="Math Tutor", tools=[{"type": "code_interpreter"}]
    )
    endpoint.will_call(("code_interpreter", {"code": FIBONACCI}), token_delay=1.5)
    endpoint.will_answer(ANSWER, token_delay=0.05)
    page.goto(f"{studio}/chat")
    page.get_by_test_id("stChatInputTextArea").fill("Generate the first 20 Fibonacci numbers.")
    page.keyboard.press("Enter")


def test_code_streams_runs_and_leaves_a_plot_and_a_file(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    ask_for_fibonacci(page, studio, client, endpoint)

    answer = page.get_by_test_id("stChatMessage").last
    expect(answer.get_by_text("Working in Python")).to_be_visible()
    expect(answer.get_by_text("numbers = [0, 1]")).to_be_visible()
    expect(answer.get_by_text("Ran Python code")).to_be_visible()
    expect(answer.get_by_role("button", name="Download")).to_be_visible()
    expect(answer.get_by_role("img", name="Image in the message")).to_be_visible()
    with page.expect_download() as download:
        answer.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "fibonacci.csv"
    assert Path(download.value.path()).read_text().endswith("4181")


def test_a_reload_shows_the_code_and_its_output_again(
    page: Page, studio: str, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    ask_for_fibonacci(page, studio, client, endpoint)
    expect(page.get_by_role("button", name="Download")).to_be_visible()

    page.reload()
    expect(page.get_by_role("button", name="Download")).to_be_visible()
    settle(page)
    page.get_by_text("Ran Python code").click()

    answer = page.get_by_test_id("stChatMessage").last
    expect(answer.get_by_text("the last one is 4181")).to_be_visible()
    expect(answer.get_by_role("img", name="Image in the message")).to_be_visible()


def test_the_form_switches_the_tool_on_and_gives_it_files(
    page: Page, studio: str, client: OpenAI
) -> None:
    client.beta.assistants.create(model="gpt-4o-mini", name="Analyst")
    client.files.create(file=("old.csv", b"1"), purpose="assistants")
    page.goto(studio)
    page.get_by_role("button", name="Edit").click()
    dialog = page.get_by_role("dialog")

    expect(dialog.get_by_text("Files for Code Interpreter")).to_be_visible()
    settle(page)
    dialog.get_by_text("Code Interpreter", exact=True).click()
    settle(page)
    dialog.get_by_text("Files for Code Interpreter").click()
    files = dialog.get_by_role("combobox", name="Files", exact=True)
    choose(files, page.get_by_role("option", name="old.csv"))
    # The list stays open above the form.
    dialog.get_by_text("Upload new files").click(force=True)
    settle(page)
    dialog.locator("input[type=file]").set_input_files(
        {"name": "new.csv", "mimeType": "text/csv", "buffer": b"2"}
    )
    expect(dialog.get_by_text("new.csv")).to_be_visible()
    settle(page)
    expect(dialog.get_by_role("switch").first).to_be_checked()
    dialog.get_by_role("button", name="Save changes").click()

    expect(page.get_by_text("Analyst is saved.")).to_be_visible()
    expect(page.get_by_test_id("stMain").get_by_text("Code Interpreter")).to_be_visible()
    (saved,) = client.beta.assistants.list().data
    assert [tool.type for tool in saved.tools] == ["code_interpreter"]
    assert saved.tool_resources and saved.tool_resources.code_interpreter
    ids = saved.tool_resources.code_interpreter.file_ids or []
    assert [client.files.retrieve(one).filename for one in ids] == ["old.csv", "new.csv"]
