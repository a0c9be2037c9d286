"""The API's extensions that the run inspector reads, typed as the SDK types the rest."""

from collections.abc import Mapping
from typing import Any, Literal

import httpx
from openai import BaseModel, OpenAI

from lib.dashboard.studio_api import ListedRun, TraceState

GroupedBy = Literal["day", "assistant", "thread", "model"]
RunQuery = Mapping[str, str | int | None]


class RunFigures(BaseModel):
    """What some runs come to together. Times are milliseconds, cost is US dollars."""

    key: str | int | None = None
    label: str | None = None
    runs: int = 0
    by_status: dict[str, int]
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cost: float = 0.0
    runs_without_price: int = 0
    waited_ms: int = 0
    p50_ms: int | None = None
    p95_ms: int | None = None

    @property
    def failure_rate(self) -> float | None:
        """Failed and expired runs among those that are over, 0 to 1; None when none is."""
        over = sum(self.by_status.get(status, 0) for status in OVER)
        failed = self.by_status.get("failed", 0) + self.by_status.get("expired", 0)
        return failed / over if over else None


OVER = ("completed", "incomplete", "failed", "expired", "cancelled")


class RunStats(BaseModel):
    total: RunFigures
    groups: list[RunFigures]


class Span(BaseModel):
    """`kind` is queue, first_token, answer, tool or person. Times are Unix milliseconds."""

    kind: str
    name: str = ""
    step_id: str | None = None
    started_ms: int
    ended_ms: int


class StepFigures(BaseModel):
    id: str
    started_ms: int
    ended_ms: int | None = None
    cost: float | None = None
    said: str | None = None
    """How the text of the message that it made begins."""


class ToolCallRecord(BaseModel):
    """What the model wrote to call a tool, and what it was told."""

    id: str
    step_id: str
    arguments: str | None = None
    output: str | None = None
    started_ms: int | None = None
    ended_ms: int | None = None
    sources: list[dict[str, Any]]
    """Of a search, one for each result: `pages` are pairs of an offset and a page number."""


class Inspection(BaseModel):
    """The inside of one run."""

    run_id: str
    cost: float | None = None
    duration_ms: int | None = None
    waited_ms: int | None = None
    spans: list[Span]
    steps: list[StepFigures]
    tool_calls: list[ToolCallRecord]


class LoggedEvent(BaseModel):
    id: int
    event: str
    at_ms: int
    subject_id: str
    data: dict[str, Any]


class ModelCall(BaseModel):
    """One call of a model; `input` only where it was asked for."""

    number: int
    step_id: str | None = None
    model: str
    answered_by: str | None = None
    finish_reason: str | None = None
    started_ms: int
    first_token_ms: int | None = None
    ended_ms: int
    usage: dict[str, Any] | None = None
    cost: float | None = None
    error: dict[str, Any] | None = None
    input: dict[str, Any] | None = None


class Trace(BaseModel):
    trace_id: str
    url: str | None = None
    delivered_at: dict[str, int]
    refusals: dict[str, str]
    """By destination that will never take it: why, as a sentence."""
    destinations: dict[str, TraceState]


class Refusal(BaseModel):
    id: str
    message: str


class BulkResult(BaseModel):
    done: list[str]
    refused: list[Refusal]


class _EventLog(BaseModel):
    data: list[LoggedEvent]
    has_more: bool


class _Names(BaseModel):
    data: list[str]


class _ModelCalls(BaseModel):
    data: list[ModelCall]


def read_stats(client: OpenAI, query: RunQuery, by: GroupedBy | None, **more: int) -> RunStats:
    """Totals of the runs that the filters let through, and of groups of them."""
    params = _given({**query, "by": by, **more})
    return client.get("/runs/stats", cast_to=RunStats, options={"params": params})


def read_models(client: OpenAI) -> list[str]:
    """The models that answered runs."""
    return client.get("/runs/models", cast_to=_Names).data


def read_inspection(client: OpenAI, run: ListedRun) -> Inspection:
    return client.get(f"{_path(run)}/inspection", cast_to=Inspection)


def read_events(client: OpenAI, run: ListedRun) -> list[LoggedEvent]:
    """The run's events without the pieces of text that streamed by."""
    return client.get(f"{_path(run)}/event_log", cast_to=_EventLog).data


def read_model_calls(client: OpenAI, run: ListedRun) -> list[ModelCall]:
    params = {"with_input": "false"}
    options: Any = {"params": params}
    return client.get(f"{_path(run)}/model_calls", cast_to=_ModelCalls, options=options).data


def read_model_input(client: OpenAI, run: ListedRun, number: int) -> dict[str, Any]:
    """The exact input of one call."""
    options: Any = {"params": {"number": number}}
    found = client.get(f"{_path(run)}/model_calls", cast_to=_ModelCalls, options=options).data
    return found[0].input or {} if found else {}


def read_trace(client: OpenAI, run: ListedRun) -> Trace:
    return client.get(f"{_path(run)}/trace", cast_to=Trace)


def change_runs(
    client: OpenAI, action: Literal["cancel", "delete"], run_ids: list[str]
) -> BulkResult:
    body = {"action": action, "run_ids": run_ids}
    return client.post("/runs/bulk", cast_to=BulkResult, body=body)


def export_runs(client: OpenAI, query: RunQuery, form: Literal["csv", "jsonl"]) -> bytes:
    """All runs that the filters let through, as a file's content."""
    options: Any = {"params": _given({**query, "format": form})}
    patient = client.with_options(timeout=600, max_retries=0)
    return patient.get("/runs/export", cast_to=httpx.Response, options=options).content


def find_listed_run(client: OpenAI, run_id: str) -> ListedRun | None:
    """The run with that id, as lists show it; None when there is none."""
    options: Any = {"params": {"text": run_id, "limit": 1}}
    found = client.get("/runs", cast_to=_Runs, options=options).data
    return next((run for run in found if run.id == run_id), None)


class _Runs(BaseModel):
    data: list[ListedRun]


def _path(run: ListedRun) -> str:
    return f"/threads/{run.thread_id}/runs/{run.id}"


def _given(query: RunQuery) -> dict[str, object]:
    return {name: value for name, value in query.items() if value is not None}
