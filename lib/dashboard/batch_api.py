"""The API's batches of prompts, typed as the SDK types the rest."""

from typing import Any, Literal

import httpx
from openai import BaseModel, OpenAI

AT_WORK = ("pending", "queued", "in_progress", "cancelling")
WORTH_A_RETRY = ("failed", "expired", "incomplete", "cancelled")


class Batch(BaseModel):
    """Many prompts for one assistant."""

    id: str
    created_at: int
    name: str
    assistant_id: str
    concurrency: int
    cancelled_at: int | None = None
    total: int
    by_status: dict[str, int]

    @property
    def done(self) -> int:
        """Prompts that need nothing more of the server; some may wait for a person."""
        return self.total - sum(self.by_status.get(status, 0) for status in AT_WORK)

    @property
    def failed(self) -> int:
        return sum(self.by_status.get(status, 0) for status in WORTH_A_RETRY)


class BatchItem(BaseModel):
    number: int
    prompt: str
    status: str
    answer: str | None = None
    error: str | None = None
    run_id: str | None = None
    thread_id: str | None = None
    duration_ms: int | None = None
    cost: float | None = None


class _Batches(BaseModel):
    data: list[Batch]


class _Items(BaseModel):
    data: list[BatchItem]


def create_batch(
    client: OpenAI, assistant_id: str, prompts: list[str], concurrency: int, name: str
) -> Batch:
    body = {
        "assistant_id": assistant_id,
        "prompts": prompts,
        "concurrency": concurrency,
        "name": name,
    }
    return client.post("/prompt_batches", cast_to=Batch, body=body)


def list_batches(client: OpenAI) -> list[Batch]:
    """The newest batches."""
    return client.get("/prompt_batches", cast_to=_Batches).data


def read_batch(client: OpenAI, batch_id: str) -> Batch:
    return client.get(f"/prompt_batches/{batch_id}", cast_to=Batch)


def list_items(client: OpenAI, batch_id: str, after: int, limit: int) -> list[BatchItem]:
    """The prompts behind number `after`, in order."""
    options: Any = {"params": {"after": after, "limit": limit}}
    return client.get(f"/prompt_batches/{batch_id}/items", cast_to=_Items, options=options).data


def act_on_batch(client: OpenAI, batch_id: str, action: Literal["cancel", "retry"]) -> Batch:
    return client.post(f"/prompt_batches/{batch_id}/{action}", cast_to=Batch)


def export_batch(client: OpenAI, batch_id: str, form: Literal["csv", "jsonl"]) -> bytes:
    options: Any = {"params": {"format": form}}
    patient = client.with_options(timeout=600, max_retries=0)
    path = f"/prompt_batches/{batch_id}/export"
    return patient.get(path, cast_to=httpx.Response, options=options).content
