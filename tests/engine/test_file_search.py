"""Runs that search files: what the model is told, what clients are shown, and its citations."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta import Assistant, Thread
from openai.types.beta.threads import Message
from openai.types.beta.threads.runs import RunStep

from tests.conftest import StartProcess
from tests.doubles.model_endpoint import ModelEndpoint
from tests.engine.conftest import Ask, last_message, text_of
from tests.servers import ThreadServer

CATS = "Cats sleep sixteen hours a day. They hunt at dusk and dawn."
DOGS = "Dogs sleep twelve hours a day. They need a walk."
CONTENT: Any = ["step_details.tool_calls[*].file_search.results[*].content"]
SEARCH: Any = {"type": "file_search"}

Reader = Callable[..., Assistant]


def filled_store(client: OpenAI, **files: str) -> str:
    """A store whose files, `name="text"`, can be searched."""
    store = client.vector_stores.create()
    for name, text in files.items():
        client.vector_stores.files.upload_and_poll(
            vector_store_id=store.id, file=(f"{name}.md", text.encode())
        )
    return store.id


@pytest.fixture
def assistant(client: OpenAI) -> Assistant:
    """An assistant that can search a file about cats and one about dogs."""
    store_id = filled_store(client, cats=CATS, dogs=DOGS)
    return client.beta.assistants.create(
        model="gpt-4o-mini",
        tools=[SEARCH],
        tool_resources={"file_search": {"vector_store_ids": [store_id]}},
    )


def citations(message: Message) -> list[dict[str, Any]]:
    (part,) = message.content
    assert part.type == "text"
    return [item.to_dict() for item in part.text.annotations]


def search_of(step: RunStep) -> dict[str, Any]:
    (call,) = step.to_dict()["step_details"]["tool_calls"]  # type: ignore[index]
    assert call["type"] == "file_search"
    return dict(call["file_search"])


def test_a_search_is_a_step_and_its_markers_become_citations(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, ask: Ask
) -> None:
    endpoint.will_call(("file_search", {"query": "how long do cats sleep"}))
    endpoint.will_answer("Cats sleep sixteen hours a day【0:0†cats.md】. Good night.")

    run = ask()

    assert run.status == "completed"
    message = last_message(client, thread.id)
    (citation,) = citations(message)
    text = text_of(message)
    marker = text[citation["start_index"] : citation["end_index"]]
    assert text == f"Cats sleep sixteen hours a day{marker}. Good night."
    assert citation["text"] == marker == "【0:0†cats.md】"
    assert citation["type"] == "file_citation"
    details = citation["file_citation"]
    assert details["quote"] == "Cats sleep sixteen hours a day."
    assert (details["filename"], details["page"]) == ("cats.md", None)
    assert client.files.retrieve(details["file_id"]).filename == "cats.md"
    told = str(endpoint.last)
    assert "【0:0†cats.md】" in told
    assert CATS in told


def test_results_show_their_content_only_when_asked(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, ask: Ask
) -> None:
    endpoint.will_call(("file_search", {"query": "cats sleep"}))
    endpoint.will_answer("Long.")
    run = ask()
    steps = client.beta.threads.runs.steps

    (search, _) = steps.list(run.id, thread_id=thread.id, order="asc").data
    (full, _) = steps.list(run.id, thread_id=thread.id, order="asc", include=CONTENT).data
    one = steps.retrieve(search.id, thread_id=thread.id, run_id=run.id)
    whole = steps.retrieve(search.id, thread_id=thread.id, run_id=run.id, include=CONTENT)

    shown = search_of(search)
    assert shown["ranking_options"] == {"ranker": "default_2024_08_21", "score_threshold": 0.0}
    best = shown["results"][0]
    assert best["file_name"] == "cats.md"
    assert 0 < best["score"] <= 1
    assert all("content" not in result for result in shown["results"])
    assert search_of(one) == shown
    assert search_of(full)["results"][0]["content"] == [{"type": "text", "text": CATS}]
    assert search_of(whole) == search_of(full)


@pytest.mark.parametrize("include", [None, CONTENT], ids=["left out", "asked for"])
def test_a_stream_shows_content_when_asked_and_its_deltas_make_the_message(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, assistant: Assistant, include: Any
) -> None:
    endpoint.will_call(("file_search", {"query": "cats sleep"}))
    endpoint.will_answer(
        "They sleep sixteen hours 【0:0†cats.md】 and【9:9†none】 hunt at dusk【0:0】."
    )
    more = {"include": include} if include else {}

    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, **more
    ) as stream:
        events = list(stream)
        (streamed,) = stream.get_final_messages()

    steps = [event for event in events if event.event.startswith("thread.run.step.")]
    assert any('"results"' in event.data.to_json() for event in steps)
    assert any('"content"' in event.data.to_json() for event in steps) == bool(include)
    said = "".join(
        part.text.value or ""
        for event in events
        if event.event == "thread.message.delta"
        for part in event.data.delta.content or []
        if part.type == "text" and part.text
    )
    stored = last_message(client, thread.id)
    assert said == text_of(streamed) == text_of(stored)
    assert said == ("They sleep sixteen hours 【0:0†cats.md】 and hunt at dusk【0:0†cats.md】.")
    assert [
        {name: value for name, value in item.items() if name != "index"}
        for item in citations(streamed)
    ] == citations(stored)
    for item in citations(stored):
        assert said[item["start_index"] : item["end_index"]] == item["text"]


@pytest.mark.parametrize(
    "said",
    [
        "No search was made 【0:0†cats.md】.",
        "Broken off 【0:0†ca",
        "Unknown 【4:4†source】",
    ],
)
def test_a_marker_that_refers_to_nothing_never_reaches_a_client(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, ask: Ask, said: str
) -> None:
    endpoint.will_answer(said)

    ask()

    message = last_message(client, thread.id)
    assert "【" not in text_of(message)
    assert "†" not in text_of(message)
    assert citations(message) == []


def test_an_answer_without_markers_is_cited_by_what_it_leans_on(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, ask: Ask
) -> None:
    endpoint.will_call(("file_search", {"query": "walk"}))
    endpoint.will_answer("Dogs sleep twelve hours a day.")

    ask()

    (citation,) = citations(last_message(client, thread.id))
    assert citation["file_citation"]["filename"] == "dogs.md"
    assert citation["file_citation"]["quote"] == "Dogs sleep twelve hours a day."


def test_a_later_run_may_cite_what_an_earlier_one_found(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, ask: Ask
) -> None:
    endpoint.will_call(("file_search", {"query": "cats sleep"}))
    endpoint.will_answer("Sixteen hours【0:0†cats.md】.")
    ask()
    endpoint.will_call(("file_search", {"query": "dogs walk"}))
    endpoint.will_answer("Cats sixteen【0:0†cats.md】, dogs need a walk【1:0†dogs.md】.")
    client.beta.threads.messages.create(thread.id, role="user", content="And dogs?")

    ask()

    names = [
        item["file_citation"]["filename"] for item in citations(last_message(client, thread.id))
    ]
    assert names == ["cats.md", "dogs.md"]
    assert "Sixteen hours." in str(endpoint.last), "markers of old answers are not repeated"


def test_a_run_searches_several_times(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, ask: Ask
) -> None:
    endpoint.will_call(("file_search", {"query": "cats"}), ("file_search", {"query": "dogs"}))
    endpoint.will_call(("file_search", {"query": "hunt at dusk"}))
    endpoint.will_answer("Cats【0:0†cats.md】 dogs【1:0†dogs.md】 hunters【2:0†cats.md】.")

    run = ask()

    steps = client.beta.threads.runs.steps.list(run.id, thread_id=thread.id).data
    assert sorted(step.type for step in steps) == ["message_creation", "tool_calls", "tool_calls"]
    assert len(citations(last_message(client, thread.id))) == 3


def test_threshold_and_number_of_results_are_honoured(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, assistant: Assistant, ask: Ask
) -> None:
    def found(**options: Any) -> list[Any]:
        tools: Any = [{"type": "file_search", "file_search": options}]
        client.beta.assistants.update(assistant.id, tools=tools)
        endpoint.will_call(("file_search", {"query": "sleep hours cats"}))
        endpoint.will_answer("Well.")
        run = ask()
        step = client.beta.threads.runs.steps.list(run.id, thread_id=thread.id, order="asc").data[0]
        return list(search_of(step)["results"])

    everything = found()
    best = found(max_num_results=1)
    certain = found(ranking_options={"score_threshold": 1.0})

    assert len(everything) == 2
    assert best == everything[:1]
    assert [result["score"] for result in certain] == [1.0]


def test_files_of_the_thread_are_searched_too_and_waited_for(
    client: OpenAI, endpoint: ModelEndpoint, ask: Ask
) -> None:
    file = client.files.create(file=("owls.txt", b"Owls turn their heads."), purpose="assistants")
    thread = client.beta.threads.create(
        messages=[
            {
                "role": "user",
                "content": "What about owls?",
                "attachments": [{"file_id": file.id, "tools": [SEARCH]}],
            }
        ]
    )
    endpoint.will_call(("file_search", {"query": "owls"}))
    endpoint.will_answer("They turn their heads【0:0†owls.txt】.")

    run = ask(thread_id=thread.id)

    assert run.status == "completed"
    (citation,) = citations(last_message(client, thread.id))
    assert citation["file_citation"]["file_id"] == file.id


def test_nothing_found_is_told_to_the_model(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, ask: Ask
) -> None:
    endpoint.will_call(("file_search", {"query": "quantum chromodynamics"}))
    endpoint.will_answer("I found nothing.")

    run = ask()

    assert run.status == "completed"
    assert "The search found nothing" in str(endpoint.last)
    assert citations(last_message(client, thread.id)) == []


def test_a_citation_outlives_its_file(
    client: OpenAI, endpoint: ModelEndpoint, thread: Thread, ask: Ask
) -> None:
    endpoint.will_call(("file_search", {"query": "cats sleep"}))
    endpoint.will_answer("Sixteen【0:0†cats.md】.")
    ask()
    (before,) = citations(last_message(client, thread.id))

    client.files.delete(before["file_citation"]["file_id"])

    assert citations(last_message(client, thread.id)) == [before]


def test_a_run_goes_on_with_its_sources_after_the_server_was_killed(
    start_process: StartProcess, endpoint: ModelEndpoint
) -> None:
    first = start_process()
    client = first.client()
    store_id = filled_store(client, cats=CATS)
    assistant = client.beta.assistants.create(
        model="gpt-4o-mini",
        tools=[SEARCH],
        tool_resources={"file_search": {"vector_store_ids": [store_id]}},
    )
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Cats?"}])
    endpoint.will_call(("file_search", {"query": "cats sleep"}))
    endpoint.will_answer("never said", initial_delay=60)
    run = client.beta.threads.runs.create(thread_id=thread.id, assistant_id=assistant.id)
    while len(endpoint.requests) < 2:
        client.beta.threads.runs.retrieve(run.id, thread_id=thread.id)
    first.kill()
    endpoint.reset()
    endpoint.will_answer("Sixteen hours【0:0†cats.md】.")

    second = start_process().client()

    done = second.beta.threads.runs.poll(run.id, thread_id=thread.id, poll_interval_ms=50)
    assert done.status == "completed"
    (citation,) = citations(last_message(second, thread.id))
    assert citation["file_citation"]["quote"] == "Cats sleep sixteen hours a day."


def test_the_overviews_knowledge_from_the_file_to_the_deleted_store(
    client: OpenAI, endpoint: ModelEndpoint
) -> None:
    """Row 9a of the overview notebook."""
    file = client.files.create(file=("paper.md", CATS.encode()), purpose="assistants")
    store = client.vector_stores.create(name="language_models_are_unsupervised_multitask_learners")
    in_store = client.vector_stores.files.create_and_poll(vector_store_id=store.id, file_id=file.id)
    assistant = client.beta.assistants.create(model="gpt-4o-mini", name="Math Tutor")
    updated = client.beta.assistants.update(
        assistant.id,
        tools=[SEARCH],
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": "What are the cool things in this paper?"}]
    )
    endpoint.will_call(("file_search", {"query": "cool things"}))
    endpoint.will_answer("Cats hunt at dusk and dawn【0:0†source】.")

    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=5
    )
    client.vector_stores.delete(store.id)
    unlinked = client.beta.assistants.retrieve(assistant.id)

    assert in_store.status == "completed"
    assert [tool.type for tool in updated.tools] == ["file_search"]
    assert run.status == "completed"
    message = last_message(client, thread.id)
    assert "†source" not in text_of(message)
    assert unlinked.tool_resources is not None
    assert unlinked.tool_resources.file_search is not None
    assert unlinked.tool_resources.file_search.vector_store_ids == []


def test_a_run_with_an_expired_store_fails_and_says_what_to_do(
    server: ThreadServer, assistant: Assistant, ask: Ask
) -> None:
    assert assistant.tool_resources is not None
    assert assistant.tool_resources.file_search is not None
    (store_id,) = assistant.tool_resources.file_search.vector_store_ids or []
    assert server.studio is not None
    path = server.studio.settings.database.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE vector_stores SET expires_at = 1 WHERE id = ?", (store_id,))

    run = ask()

    assert run.status == "failed"
    assert run.last_error is not None
    assert f"The vector store {store_id} has expired" in run.last_error.message


def test_an_export_keeps_what_was_found(
    server: ThreadServer, endpoint: ModelEndpoint, thread: Thread, ask: Ask
) -> None:
    endpoint.will_call(("file_search", {"query": "cats sleep"}))
    endpoint.will_answer("Long.")
    ask()

    with server.http() as http:
        exported = http.get(f"threads/{thread.id}/export").json()

    (step,) = [step for step in exported["steps"] if step["type"] == "tool_calls"]
    (call,) = step["step_details"]["tool_calls"]
    assert call["file_search"]["results"][0]["content"] == [{"type": "text", "text": CATS}]
