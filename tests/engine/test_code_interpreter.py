"""Code Interpreter in a run: its steps, its deltas, its files, and what goes wrong."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from fpdf import FPDF
from openai import OpenAI
from openai.types.beta import Assistant, AssistantStreamEvent, Thread
from openai.types.beta.threads import Message, Run
from openai.types.beta.threads.runs import CodeInterpreterToolCall, RunStep

from lib.settings import Settings
from tests.conftest import StartServer
from tests.doubles.model_endpoint import ModelEndpoint
from tests.engine.conftest import last_message, text_of
from tests.servers import ThreadServer

TOOL: Any = [{"type": "code_interpreter"}]
FIBONACCI = """\
numbers = [0, 1]
while len(numbers) < 20:
    numbers.append(sum(numbers[-2:]))
numbers[-1]"""


@pytest.fixture(scope="module")
def coding_server(
    endpoint_server: ModelEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ThreadServer]:
    with ThreadServer(settings_of(endpoint_server, tmp_path_factory.mktemp("data"))) as server:
        wait_for_sandbox(server)
        yield server


def settings_of(endpoint: ModelEndpoint, data_dir: Any, **more: Any) -> Any:
    return Settings(
        _env_file=None,
        model_base_url=endpoint.base_url,
        model_api="chat_completions",
        data_dir=data_dir,
        **more,
    )


def wait_for_sandbox(server: ThreadServer) -> None:
    with server.http() as http:
        while (state := http.get("health").json()["code_interpreter"])["starting"]:
            pass
    assert state["available"], f"no sandbox works here; install bubblewrap: {state['message']}"


@pytest.fixture
def server(coding_server: ThreadServer, endpoint: ModelEndpoint) -> Iterator[ThreadServer]:
    yield coding_server
    coding_server.end_all_runs()
    endpoint.reset()


@pytest.fixture
def coder(client: OpenAI) -> Assistant:
    return client.beta.assistants.create(model="gpt-4o-mini", tools=TOOL)


@pytest.fixture
def thread(client: OpenAI) -> Thread:
    return client.beta.threads.create(messages=[{"role": "user", "content": "Go on."}])


def ask(client: OpenAI, thread: Thread, coder: Assistant) -> Run:
    return client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=coder.id, poll_interval_ms=5
    )


def steps_of(client: OpenAI, run: Run) -> list[RunStep]:
    return list(client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc"))


def cells_of(step: RunStep) -> list[CodeInterpreterToolCall]:
    assert step.step_details.type == "tool_calls"
    return [call for call in step.step_details.tool_calls if call.type == "code_interpreter"]


def logs_of(step: RunStep) -> str:
    return "".join(
        output.logs
        for cell in cells_of(step)
        for output in cell.code_interpreter.outputs
        if output.type == "logs"
    )


def will_code(endpoint: ModelEndpoint, *codes: str, **more: Any) -> None:
    endpoint.will_call(*(("code_interpreter", {"code": code}) for code in codes), **more)


def told(endpoint: ModelEndpoint, request: int = -1) -> str:
    """What the model was told of its last call."""
    return str(endpoint.requests[request].body["messages"][-1]["content"])


def make_pdf(text: str) -> bytes:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    pdf.cell(text=text)
    return bytes(pdf.output())


def test_fibonacci_with_code_as_in_the_overview(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread
) -> None:
    """Rows 7 and 8 of the overview notebook."""
    assistant = client.beta.assistants.create(model="gpt-4o-mini", name="Math Tutor")
    updated = client.beta.assistants.update(assistant.id, tools=TOOL)
    assert updated.tool_resources and updated.tool_resources.code_interpreter
    assert updated.tool_resources.code_interpreter.file_ids == []
    will_code(endpoint, FIBONACCI)
    endpoint.will_answer("The twentieth is 4181.")

    run = ask(client, thread, assistant)

    calls, message = steps_of(client, run)
    assert run.status == "completed"
    assert [calls.type, message.type] == ["tool_calls", "message_creation"]
    (cell,) = cells_of(calls)
    assert cell.code_interpreter.input == FIBONACCI
    assert logs_of(calls) == "4181\n"
    assert told(endpoint) == "4181"
    assert text_of(last_message(client, thread.id)) == "The twentieth is 4181."


def test_a_pdf_attached_for_code_alone_is_read_by_code(
    client: OpenAI, endpoint: ModelEndpoint
) -> None:
    """Row 9b of the overview notebook."""
    file = client.files.create(
        file=("lesson.pdf", make_pdf("A derivative is a slope.")), purpose="assistants"
    )
    assistant = client.beta.assistants.create(
        model="gpt-4o-mini",
        tools=TOOL,
        tool_resources={"code_interpreter": {"file_ids": [file.id]}},
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "What is it?"}])
    will_code(
        endpoint,
        "from pypdf import PdfReader\nPdfReader('/mnt/data/lesson.pdf').pages[0].extract_text()",
    )
    endpoint.will_answer("A slope.")

    run = ask(client, thread, assistant)

    assert "A derivative is a slope." in logs_of(steps_of(client, run)[0])
    declared = endpoint.requests[0].body["tools"][0]["function"]
    assert declared["name"] == "code_interpreter"
    assert "lesson.pdf" in declared["description"]


def test_deltas_put_together_are_the_steps(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, coder: Assistant
) -> None:
    code = (
        "import matplotlib.pyplot as plt\nprint('é😀 \"quoted\"')\n"
        "plt.plot([1, 2])\nplt.show()\n1 + 1"
    )
    will_code(endpoint, code, text="Let me see.")
    endpoint.will_answer("Two.")
    inputs: list[str] = []
    logs: dict[int, str] = {}
    images: dict[int, str] = {}

    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=coder.id) as stream:
        for event in stream:
            if event.event != "thread.run.step.delta":
                continue
            details = event.data.delta.step_details
            assert details and details.type == "tool_calls" and details.tool_calls
            for call in details.tool_calls:
                assert call.type == "code_interpreter" and call.code_interpreter
                inputs.append(call.code_interpreter.input or "")
                for output in call.code_interpreter.outputs or []:
                    if output.type == "logs":
                        logs[output.index] = logs.get(output.index, "") + (output.logs or "")
                    elif output.image and output.image.file_id:
                        images[output.index] = output.image.file_id

    step = steps_of(client, run_of(client, thread))[1]
    (cell,) = cells_of(step)
    outputs = cell.code_interpreter.outputs
    assert len([piece for piece in inputs if piece]) > 1, "the code came in one piece"
    assert "".join(inputs) == cell.code_interpreter.input == code
    assert [output.type for output in outputs] == ["logs", "image", "logs"]
    assert logs == {0: 'é😀 "quoted"\n', 2: "2\n"}
    assert logs == {at: one.logs for at, one in enumerate(outputs) if one.type == "logs"}
    assert images == {1: image_id(cell)}


def run_of(client: OpenAI, thread: Thread) -> Run:
    return client.beta.threads.runs.list(thread.id, limit=1).data[0]


def image_id(cell: CodeInterpreterToolCall) -> str:
    (output,) = [one for one in cell.code_interpreter.outputs if one.type == "image"]
    return output.image.file_id


def test_figures_become_images_of_the_message(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, coder: Assistant
) -> None:
    will_code(endpoint, "import matplotlib.pyplot as plt\nplt.plot([1, 2])")
    endpoint.will_answer("Here it is.")

    ask(client, thread, coder)

    image, text = last_message(client, thread.id).content
    assert image.type == "image_file" and text.type == "text"
    assert client.files.content(image.image_file.file_id).read().startswith(b"\x89PNG")
    assert client.files.retrieve(image.image_file.file_id).purpose == "assistants_output"
    assert "figure" in told(endpoint)


def test_several_cells_share_their_variables(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, coder: Assistant
) -> None:
    will_code(endpoint, "a = 2", "print(a + 1)")
    will_code(endpoint, "print(a * 10)")
    endpoint.will_answer("Done.")

    run = ask(client, thread, coder)

    first, second, _message = steps_of(client, run)
    assert len(cells_of(first)) == 2
    assert logs_of(first) == "3\n"
    assert logs_of(second) == "20\n"


def test_variables_outlive_the_run(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, coder: Assistant
) -> None:
    will_code(endpoint, "kept = 7")
    endpoint.will_answer("Noted.")
    ask(client, thread, coder)
    will_code(endpoint, "print(kept)")
    endpoint.will_answer("Seven.")

    run = ask(client, thread, coder)

    assert logs_of(steps_of(client, run)[0]) == "7\n"


def test_two_threads_have_nothing_of_each_other(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, coder: Assistant
) -> None:
    other = client.beta.threads.create(messages=[{"role": "user", "content": "Me too."}])
    will_code(endpoint, "secret = 1; open('/mnt/data/mine.txt', 'w').write('x');")
    endpoint.will_answer("Done.")
    ask(client, thread, coder)
    will_code(endpoint, "import os\nprint('secret' in globals(), os.listdir('/mnt/data'))")
    endpoint.will_answer("Nothing here.")

    run = ask(client, other, coder)

    assert logs_of(steps_of(client, run)[0]) == "False []\n"


def test_an_error_goes_back_to_the_model_which_tries_again(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, coder: Assistant
) -> None:
    will_code(endpoint, "1 / 0")
    will_code(endpoint, "print('better')")
    endpoint.will_answer("It works now.")

    run = ask(client, thread, coder)

    failed, better, _message = steps_of(client, run)
    assert run.status == "completed"
    assert logs_of(failed).endswith("ZeroDivisionError: division by zero\n")
    assert told(endpoint, 1).endswith("ZeroDivisionError: division by zero")
    assert logs_of(better) == "better\n"


@pytest.mark.parametrize(
    ("arguments", "input"),
    [
        pytest.param("print(6 * 7)", "print(6 * 7)", id="code without JSON around it"),
        pytest.param(
            '{"code": "x = 6\nprint(x * 7)"}', "x = 6\nprint(x * 7)", id="line breaks left as is"
        ),
    ],
)
def test_code_that_a_small_model_spells_wrongly_runs_all_the_same(
    client: OpenAI,
    endpoint: ModelEndpoint,
    thread: Thread,
    coder: Assistant,
    arguments: str,
    input: str,
) -> None:
    endpoint.will_call(("code_interpreter", arguments))
    endpoint.will_answer("42.")

    run = ask(client, thread, coder)

    step = steps_of(client, run)[0]
    assert cells_of(step)[0].code_interpreter.input == input
    assert logs_of(step) == "42\n"


def test_a_call_without_code_is_told_to_the_model(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, coder: Assistant
) -> None:
    endpoint.will_call(("code_interpreter", {"program": "print(1)"}))
    endpoint.will_answer("Sorry.")

    run = ask(client, thread, coder)

    assert run.status == "completed"
    assert "no code" in told(endpoint)


def test_files_go_in_by_three_ways_and_clashes_are_seen(
    client: OpenAI, endpoint: ModelEndpoint
) -> None:
    ids = [
        client.files.create(file=("data.csv", f"n\n{number}\n".encode()), purpose="assistants").id
        for number in range(3)
    ]
    coder = client.beta.assistants.create(
        model="gpt-4o-mini",
        tools=TOOL,
        tool_resources={"code_interpreter": {"file_ids": [ids[0]]}},
    )
    thread = client.beta.threads.create(
        tool_resources={"code_interpreter": {"file_ids": [ids[1]]}},
        messages=[
            {
                "role": "user",
                "content": "Look.",
                "attachments": [{"file_id": ids[2], "tools": TOOL}],
            }
        ],
    )
    will_code(
        endpoint,
        "import os\nfor name in sorted(os.listdir('/mnt/data')):\n"
        "    print(name, open('/mnt/data/' + name).read().split()[1])",
    )
    endpoint.will_answer("Three.")

    run = ask(client, thread, coder)

    assert logs_of(steps_of(client, run)[0]).splitlines() == [
        "data (2).csv 1",
        "data (3).csv 2",
        "data.csv 0",
    ]
    described = endpoint.requests[0].body["tools"][0]["function"]["description"]
    assert "data.csv, data (2).csv, data (3).csv" in described


def test_a_deleted_file_does_not_stop_the_code(client: OpenAI, endpoint: ModelEndpoint) -> None:
    file = client.files.create(file=("gone.csv", b"n\n1\n"), purpose="assistants")
    coder = client.beta.assistants.create(
        model="gpt-4o-mini",
        tools=TOOL,
        tool_resources={"code_interpreter": {"file_ids": [file.id]}},
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Look."}])
    client.files.delete(file.id)
    will_code(endpoint, "import os\nprint(os.listdir('/mnt/data'))")
    endpoint.will_answer("Nothing.")

    run = ask(client, thread, coder)

    assert logs_of(steps_of(client, run)[0]) == "[]\n"


def test_more_than_twenty_files_are_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="20"):
        client.beta.assistants.create(
            model="gpt-4o-mini",
            tools=TOOL,
            tool_resources={"code_interpreter": {"file_ids": ["file-a"] * 21}},
        )


def test_a_file_that_code_made_is_linked_where_the_answer_names_it(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, coder: Assistant
) -> None:
    will_code(endpoint, "open('/mnt/data/out.csv', 'w').write('n\\n1\\n');")
    said = "Take [the table](sandbox:/mnt/data/out.csv), not sandbox:/mnt/data/out.csv.gz."
    endpoint.will_answer(said)

    ask(client, thread, coder)

    message = last_message(client, thread.id)
    (note,) = annotations_of(message)
    assert text_of(message) == said
    assert note.text == said[note.start_index : note.end_index] == "sandbox:/mnt/data/out.csv"
    assert client.files.content(note.file_path.file_id).read() == b"n\n1\n"
    assert client.files.retrieve(note.file_path.file_id).filename == "out.csv"
    assert message.attachments == []


def annotations_of(message: Message) -> list[Any]:
    return [
        note for part in message.content if part.type == "text" for note in part.text.annotations
    ]


def test_a_file_that_the_answer_does_not_name_is_attached(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, coder: Assistant
) -> None:
    will_code(endpoint, "open('/mnt/data/out.csv', 'w').write('n\\n1\\n');")
    endpoint.will_answer("I made a table.")

    ask(client, thread, coder)

    message = last_message(client, thread.id)
    assert message.attachments and len(message.attachments) == 1
    assert client.files.content(str(message.attachments[0].file_id)).read() == b"n\n1\n"
    assert told(endpoint) == "[File made: sandbox:/mnt/data/out.csv]"


def test_a_changed_file_is_a_new_one_and_links_lead_to_the_newest(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, coder: Assistant
) -> None:
    for content in ("old", "newer"):
        will_code(endpoint, f"open('/mnt/data/out.txt', 'w').write('{content}');")
        endpoint.will_answer("See sandbox:/mnt/data/out.txt.")
        ask(client, thread, coder)

    newest, older = [
        annotations_of(message)[0].file_path.file_id
        for message in client.beta.threads.messages.list(thread.id)
        if message.role == "assistant"
    ]
    assert client.files.content(newest).read() == b"newer"
    assert client.files.content(older).read() == b"old"


def has_printed(event: AssistantStreamEvent, text: str) -> bool:
    return event.event == "thread.run.step.delta" and f'"logs": "{text}' in event.data.to_json()


def test_cancelling_in_mid_cell_keeps_what_was_printed(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, coder: Assistant
) -> None:
    will_code(endpoint, "import time\nprint('so far')\ntime.sleep(60)")
    with client.beta.threads.runs.create(
        thread_id=thread.id, assistant_id=coder.id, stream=True
    ) as events:
        for event in events:
            if has_printed(event, "so far"):
                client.beta.threads.runs.cancel(run_of(client, thread).id, thread_id=thread.id)

    run = client.beta.threads.runs.retrieve(run_of(client, thread).id, thread_id=thread.id)
    step = steps_of(client, run)[0]
    assert run.status == "cancelled"
    assert step.status == "cancelled"
    assert logs_of(step) == "so far\n"


def test_the_thread_can_go_on_after_a_cancelled_cell(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, coder: Assistant
) -> None:
    will_code(endpoint, "import time\nkept = 1\nprint('so far')\ntime.sleep(60)")
    with client.beta.threads.runs.create(
        thread_id=thread.id, assistant_id=coder.id, stream=True
    ) as events:
        for event in events:
            if has_printed(event, "so far"):
                client.beta.threads.runs.cancel(run_of(client, thread).id, thread_id=thread.id)
    will_code(endpoint, "print('again')")
    endpoint.will_answer("Fine.")

    run = ask(client, thread, coder)

    assert run.status == "completed"
    assert logs_of(steps_of(client, run)[0]).endswith("again\n")


def test_code_that_ends_its_process_gets_a_fresh_session(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, coder: Assistant
) -> None:
    will_code(endpoint, "open('/mnt/data/kept', 'w').write('x'); import os; os._exit(1)")
    will_code(endpoint, "import os\nprint(os.listdir('/mnt/data'))")
    endpoint.will_answer("Still there.")

    run = ask(client, thread, coder)

    crashed, fresh, _message = steps_of(client, run)
    assert run.status == "completed"
    assert "The session ended" in logs_of(crashed)
    assert "This is a new session" in logs_of(fresh)
    assert "['kept']" in logs_of(fresh)


def test_a_restart_keeps_files_and_says_that_variables_are_gone(
    endpoint: ModelEndpoint, tmp_path: Path
) -> None:
    data_dir = tmp_path / "restarted"
    with ThreadServer(settings_of(endpoint, data_dir)) as server:
        wait_for_sandbox(server)
        client = server.client()
        coder = client.beta.assistants.create(model="gpt-4o-mini", tools=TOOL)
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "Go on."}])
        will_code(endpoint, "x = 1; open('/mnt/data/kept', 'w').write('x');")
        endpoint.will_answer("Done.")
        ask(client, thread, coder)

    with ThreadServer(settings_of(endpoint, data_dir)) as server:
        wait_for_sandbox(server)
        client = server.client()
        will_code(endpoint, "import os\nprint('x' in globals(), os.listdir('/mnt/data'))")
        endpoint.will_answer("Done.")
        run = ask(client, thread, coder)

        logs = logs_of(steps_of(client, run)[0])
    assert logs.startswith("[This is a new session: variables of earlier cells are gone")
    assert logs.endswith("False ['kept']\n")


def test_a_cell_that_takes_too_long_is_interrupted_and_keeps_its_variables(
    endpoint: ModelEndpoint, start_server: StartServer
) -> None:
    server = start_server(code_interpreter="auto", code_timeout=1)
    wait_for_sandbox(server)
    client = server.client()
    coder = client.beta.assistants.create(model="gpt-4o-mini", tools=TOOL)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Go on."}])
    will_code(endpoint, "import time\nkept = 5\ntime.sleep(60)")
    will_code(endpoint, "print(kept)")
    endpoint.will_answer("Five.")

    run = ask(client, thread, coder)

    slow, after, _message = steps_of(client, run)
    assert "stopped after 1 seconds" in logs_of(slow)
    assert logs_of(after) == "5\n"


@pytest.fixture(scope="module")
def tight_server(
    endpoint_server: ModelEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ThreadServer]:
    """Every limit of the settings is low."""
    limits = {
        "code_cpu_seconds": 1,
        "code_memory_mb": 512,
        "code_processes": 16,
        "code_file_mb": 1,
        "code_disk_mb": 16,
        "code_output_kb": 1,
    }
    data_dir = tmp_path_factory.mktemp("tight")
    with ThreadServer(settings_of(endpoint_server, data_dir, **limits)) as server:
        wait_for_sandbox(server)
        yield server


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("while True: pass", "more than 1 seconds of processor time"),
        ("hoard = bytearray(600 << 20)", "MemoryError"),
        (
            "import os, time\nwhile True:\n    if os.fork() == 0: time.sleep(60)",
            "Resource temporarily unavailable",
        ),
        ("open('large', 'wb').write(bytes(2 << 20))", "File too large"),
        (
            "for n in range(99):\n    open(f'f{n}', 'wb').write(bytes(1 << 20))\n"
            "import time; time.sleep(60)",
            "more than 16 MB of disk",
        ),
        ("print('x' * 5000)", "at most 1 KB"),
    ],
    ids=["processor time", "memory", "processes", "file", "disk", "output"],
)
def test_each_limit_of_the_settings_holds_in_a_run_and_is_said(
    code: str, said: str, endpoint: ModelEndpoint, tight_server: ThreadServer
) -> None:
    client = tight_server.client()
    coder = client.beta.assistants.create(model="gpt-4o-mini", tools=TOOL)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Go on."}])
    will_code(endpoint, code)
    endpoint.will_answer("That was too much.")

    run = ask(client, thread, coder)

    assert run.status == "completed"
    assert said in logs_of(steps_of(client, run)[0])


def test_a_model_that_never_stops_calling_meets_the_ceiling(
    endpoint: ModelEndpoint, start_server: StartServer
) -> None:
    server = start_server(code_interpreter="auto", max_tool_rounds=3)
    wait_for_sandbox(server)
    client = server.client()
    coder = client.beta.assistants.create(model="gpt-4o-mini", tools=TOOL)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Go on."}])
    for number in range(5):
        will_code(endpoint, f"print({number})")

    run = ask(client, thread, coder)

    assert run.status == "failed"
    assert run.last_error and "MAX_TOOL_ROUNDS" in run.last_error.message
    assert [logs_of(step) for step in steps_of(client, run)] == ["0\n", "1\n", "2\n"]


def test_with_the_tool_off_the_run_fails_with_the_remedy(
    endpoint: ModelEndpoint, start_server: StartServer
) -> None:
    client = start_server(code_interpreter="off").client()
    coder = client.beta.assistants.create(model="gpt-4o-mini", tools=TOOL)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Go on."}])

    run = ask(client, thread, coder)

    assert run.status == "failed"
    assert run.last_error and "CODE_INTERPRETER" in run.last_error.message
    assert not endpoint.requests


def test_a_function_of_the_tools_name_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="code_interpreter"):
        client.beta.assistants.create(
            model="gpt-4o-mini",
            tools=[{"type": "function", "function": {"name": "code_interpreter"}}],
        )


def test_deleting_the_thread_in_mid_cell_ends_its_code(
    server: ThreadServer, client: OpenAI, endpoint: ModelEndpoint, thread: Thread, coder: Assistant
) -> None:
    will_code(endpoint, "import time\nprint('so far')\ntime.sleep(60)")
    with client.beta.threads.runs.create(
        thread_id=thread.id, assistant_id=coder.id, stream=True
    ) as events:
        for event in events:
            if has_printed(event, "so far"):
                break

    client.beta.threads.delete(thread.id)

    assert server.studio is not None
    kept = server.studio.settings.data_dir / "sandbox" / "kept"
    assert thread.id not in {path.name for path in kept.iterdir()}
