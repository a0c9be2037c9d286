import csv
import io
import json
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta import Assistant
from openai.types.beta.threads import Run

from tests.doubles.model_endpoint import ModelEndpoint
from tests.doubles.model_wire import Answer
from tests.servers import ThreadServer


@pytest.fixture
def own(client: OpenAI) -> Assistant:
    """An assistant of this test's own, so that its runs can be told from all others."""
    return client.beta.assistants.create(model="gpt-4o-mini", name="Own")


def ask(client: OpenAI, assistant: Assistant, question: str = "Hello?", **more: Any) -> Run:
    return client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": question}]},
        poll_interval_ms=5,
        **more,
    )


def get(server: ThreadServer, path: str, **params: Any) -> Any:
    with server.http() as http:
        response = http.get(path, params=params)
        assert response.status_code == 200, response.text
        return response.json()


def test_a_run_shows_its_tokens_times_and_cost(
    server: ThreadServer, client: OpenAI, endpoint: ModelEndpoint, own: Assistant
) -> None:
    endpoint.will(Answer(text="Four.", prompt_tokens=1_000_000, completion_tokens=100_000))

    run = ask(client, own)

    [listed] = get(server, "runs", assistant_id=own.id)["data"]
    assert listed["id"] == run.id
    assert listed["cost"] == pytest.approx(0.15 + 0.06)
    assert listed["duration_ms"] >= 0
    assert listed["waited_ms"] == 0
    assert listed["step_count"] == 1


def test_a_model_without_a_known_price_has_tokens_but_no_cost(
    server: ThreadServer, client: OpenAI, endpoint: ModelEndpoint, own: Assistant
) -> None:
    endpoint.will(Answer(text="Four.", model="home-grown-7b"))

    ask(client, own)

    [listed] = get(server, "runs", assistant_id=own.id)["data"]
    assert listed["cost"] is None
    assert listed["usage"]["total_tokens"] > 0


def test_waiting_for_a_person_is_counted_apart(
    server: ThreadServer, client: OpenAI, endpoint: ModelEndpoint
) -> None:
    assistant = client.beta.assistants.create(
        model="gpt-4o-mini", tools=[{"type": "function", "function": {"name": "ask_me"}}]
    )
    endpoint.will_call(("ask_me", {}))
    endpoint.will_answer("Thanks.")
    run = ask(client, assistant)
    assert run.required_action
    call = run.required_action.submit_tool_outputs.tool_calls[0]

    client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id,
        thread_id=run.thread_id,
        tool_outputs=[{"tool_call_id": call.id, "output": "Yes"}],
        poll_interval_ms=5,
    )

    [listed] = get(server, "runs", assistant_id=assistant.id)["data"]
    events = get(server, f"threads/{run.thread_id}/runs/{run.id}/event_log")["data"]
    own = [event for event in events if event["subject_id"] == run.id]
    at = [event["event"] for event in own].index("thread.run.requires_action")
    assert listed["waited_ms"] == own[at + 1]["at_ms"] - own[at]["at_ms"]
    assert listed["duration_ms"] == own[-1]["at_ms"] - own[0]["at_ms"]


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({"model": "odd-model"}, id="model that answered"),
        pytest.param({"text": "zebras"}, id="first message"),
        pytest.param({"status": "failed"}, id="status"),
        pytest.param({"text": "stripes broke"}, id="error"),
    ],
)
def test_runs_are_found_by(
    wanted: dict[str, str],
    server: ThreadServer,
    client: OpenAI,
    endpoint: ModelEndpoint,
    own: Assistant,
) -> None:
    endpoint.will(Answer(text="Hi", model="odd-model"))
    endpoint.will_answer("Zebras have stripes.")
    endpoint.will_fail(400, message="The stripes broke.")
    runs = [ask(client, own, question) for question in ("Hello", "Where are zebras?", "And now?")]
    expected = {"odd-model": 0, "zebras": 1, "failed": 2, "stripes broke": 2}

    found = get(server, "runs", assistant_id=own.id, **wanted)["data"]

    [value] = wanted.values()
    assert [run["id"] for run in found] == [runs[expected[value]].id]


def test_percent_and_underscore_in_a_search_mean_themselves(
    server: ThreadServer, client: OpenAI, own: Assistant
) -> None:
    ask(client, own, "A plain question")

    assert get(server, "runs", assistant_id=own.id, text="%")["data"] == []
    assert get(server, "runs", assistant_id=own.id, text="A_plain")["data"] == []


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", ["created_at", "cost", "tokens", "duration", "waiting", "steps"])
def test_paging_through_a_sorted_list_meets_every_run_once(
    sort: str,
    order: str,
    server: ThreadServer,
    client: OpenAI,
    endpoint: ModelEndpoint,
    own: Assistant,
) -> None:
    for tokens in (30, 10, 20):
        endpoint.will(Answer(text="Hi", prompt_tokens=1000 * tokens, completion_tokens=tokens))
    endpoint.will(Answer(text="Hi", model="home-grown-7b"))
    endpoint.will(Answer(text="Hi", model="home-grown-7b"))
    for _ in range(5):
        ask(client, own)
    whole = get(server, "runs", assistant_id=own.id, sort=sort, order=order)["data"]

    paged: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = get(server, "runs", assistant_id=own.id, sort=sort, order=order, limit=2, **after)
        paged += [run["id"] for run in page["data"]]
        if not page["has_more"]:
            break
        after = {"after": page["last_id"]}

    assert paged == [run["id"] for run in whole]
    assert len(set(paged)) == 5
    if sort == "cost":
        known = [run["cost"] for run in whole if run["cost"] is not None]
        assert known == sorted(known, reverse=order == "desc")


def test_totals_are_the_sums_of_the_runs(
    server: ThreadServer, client: OpenAI, endpoint: ModelEndpoint, own: Assistant
) -> None:
    endpoint.will(Answer(text="Hi", prompt_tokens=1000, cached_tokens=400, completion_tokens=10))
    endpoint.will(Answer(text="Hi", prompt_tokens=2000, completion_tokens=30, reasoning_tokens=20))
    endpoint.will_fail(400, message="No.")
    for _ in range(3):
        ask(client, own)

    stats = get(server, "runs/stats", assistant_id=own.id, by="model")

    listed = get(server, "runs", assistant_id=own.id)["data"]
    total = stats["total"]
    assert total["runs"] == 3
    assert total["by_status"] == {"completed": 2, "failed": 1}
    assert total["prompt_tokens"] == 3000
    assert total["cached_tokens"] == 400
    assert total["completion_tokens"] == 40
    assert total["reasoning_tokens"] == 20
    assert total["cost"] == pytest.approx(sum(run["cost"] or 0 for run in listed))
    durations = sorted(run["duration_ms"] for run in listed if run["status"] == "completed")
    assert total["p50_ms"] == durations[0]
    assert total["p95_ms"] == durations[1]
    assert [(group["key"], group["runs"]) for group in stats["groups"]] == [("gpt-4o-mini", 3)]


@pytest.mark.parametrize("by", ["day", "assistant", "thread", "model"])
def test_the_groups_of_a_statistic_add_up_to_its_total(
    by: str, server: ThreadServer, client: OpenAI, own: Assistant
) -> None:
    for _ in range(3):
        ask(client, own)

    stats = get(server, "runs/stats", assistant_id=own.id, by=by, utc_offset=3600)

    assert sum(group["runs"] for group in stats["groups"]) == stats["total"]["runs"] == 3
    tokens = sum(group["prompt_tokens"] for group in stats["groups"])
    assert tokens == stats["total"]["prompt_tokens"]
    if by == "day":
        assert all((group["key"] + 3600) % 86400 == 0 for group in stats["groups"])
    if by == "assistant":
        assert stats["groups"][0]["label"] == "Own"


def test_figures_of_nothing_are_zero(server: ThreadServer) -> None:
    stats = get(server, "runs/stats", assistant_id="asst_none", by="day")

    assert stats["total"]["runs"] == 0
    assert stats["total"]["p50_ms"] is None
    assert stats["groups"] == []


def test_the_models_that_answered_are_listed_once_each(
    server: ThreadServer, client: OpenAI, own: Assistant
) -> None:
    for _ in range(2):
        ask(client, own)

    models = get(server, "runs/models")["data"]

    assert models.count("gpt-4o-mini") == 1
    assert models == sorted(models)


def test_all_runs_are_exported_as_csv_and_as_json_lines(
    server: ThreadServer, client: OpenAI, own: Assistant
) -> None:
    runs = [ask(client, own, question) for question in ("=cmd()", "Plain, with comma")]
    with server.http() as http:
        wanted = {"assistant_id": own.id}
        as_csv = http.get("runs/export", params={**wanted, "format": "csv"}).text
        as_lines = http.get("runs/export", params={**wanted, "format": "jsonl"}).text

    rows = list(csv.DictReader(io.StringIO(as_csv)))
    lines = [json.loads(line) for line in as_lines.splitlines()]

    assert [row["id"] for row in rows] == [runs[1].id, runs[0].id]
    assert [row["thread_title"] for row in rows] == ["Plain, with comma", "'=cmd()"]
    assert [line["id"] for line in lines] == [runs[1].id, runs[0].id]


def test_ended_runs_are_deleted_in_bulk_and_others_are_left_alone(
    server: ThreadServer, client: OpenAI, endpoint: ModelEndpoint, own: Assistant
) -> None:
    ended = ask(client, own)
    endpoint.default_answer(tokens=2000, token_delay=0.05)
    active = client.beta.threads.create_and_run(
        assistant_id=own.id, thread={"messages": [{"role": "user", "content": "Slowly"}]}
    )

    with server.http() as http:
        ids = [ended.id, active.id, "run_none"]
        answer = http.post("runs/bulk", json={"action": "delete", "run_ids": ids}).json()

    assert answer["done"] == [ended.id]
    assert {one["id"] for one in answer["refused"]} == {active.id, "run_none"}
    assert [run["id"] for run in get(server, "runs", assistant_id=own.id)["data"]] == [active.id]
    assert len(client.beta.threads.messages.list(ended.thread_id).data) == 2


def test_active_runs_are_cancelled_in_bulk(
    server: ThreadServer, client: OpenAI, endpoint: ModelEndpoint, own: Assistant
) -> None:
    endpoint.default_answer(tokens=2000, token_delay=0.05)
    runs = [
        client.beta.threads.create_and_run(
            assistant_id=own.id, thread={"messages": [{"role": "user", "content": "Slowly"}]}
        )
        for _ in range(3)
    ]

    with server.http() as http:
        ids = [run.id for run in runs]
        answer = http.post("runs/bulk", json={"action": "cancel", "run_ids": ids}).json()

    assert answer["done"] == ids
    for run in runs:
        polled = client.beta.threads.runs.poll(run.id, thread_id=run.thread_id, poll_interval_ms=5)
        assert polled.status == "cancelled"


def test_only_runs_that_used_a_model_without_a_price_are_left_out_of_the_cost(
    server: ThreadServer, client: OpenAI, endpoint: ModelEndpoint, own: Assistant
) -> None:
    endpoint.will_fail(400, message="No.")
    ask(client, own)
    endpoint.will_answer("Hello.", model="home-grown-7b")
    ask(client, own)

    total = get(server, "runs/stats", assistant_id=own.id)["total"]

    assert total["runs"] == 2
    assert total["runs_without_price"] == 1
