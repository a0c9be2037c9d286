"""What does a run cost beside calling the model endpoint directly?

python -m benchmarks.run_overhead
"""

import asyncio
import json
import statistics
import time
from dataclasses import dataclass

from benchmarks.harness import (
    Connection,
    Json,
    direct_call,
    milliseconds,
    model_endpoint,
    new_assistant,
    new_thread,
    report,
    studio,
)

PAIRS = 300
WARM_UP = 30


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds from the request on."""

    first_token: float
    completed: float


async def through_runs(connection: Connection, assistant_id: str) -> Timing:
    thread_id = await new_thread(connection)
    began = time.perf_counter()
    first_token = completed = 0.0
    body = {"assistant_id": assistant_id, "stream": True}
    async for name, _ in connection.stream(f"/threads/{thread_id}/runs", body):
        if name == "thread.message.delta" and not first_token:
            first_token = time.perf_counter() - began
        if name == "thread.run.completed":
            completed = time.perf_counter() - began
    assert completed, "the run did not complete"
    return Timing(first_token, completed)


async def directly(connection: Connection) -> Timing:
    began = time.perf_counter()
    first_token = completed = 0.0
    async for _, data in connection.stream("/chat/completions", direct_call()):
        if data == "[DONE]":
            completed = time.perf_counter() - began
        elif not first_token and says_something(json.loads(data)):
            first_token = time.perf_counter() - began
    assert first_token and completed, "the endpoint did not answer"
    return Timing(first_token, completed)


def says_something(chunk: Json) -> bool:
    return any(choice["delta"].get("content") for choice in chunk["choices"])


async def measure(studio_url: str, endpoint_url: str) -> list[tuple[Timing, Timing]]:
    """Pairs of (through a run, directly), taken in turn."""
    ours, theirs = Connection(studio_url), Connection(endpoint_url)
    assistant_id = await new_assistant(ours)
    pairs = [
        (await through_runs(ours, assistant_id), await directly(theirs))
        for _ in range(WARM_UP + PAIRS)
    ]
    ours.close()
    theirs.close()
    return pairs[WARM_UP:]


def main() -> None:
    with model_endpoint() as endpoint, studio(endpoint.base_url) as server:
        endpoint.answer_with(text="Subtract 11, then divide by 3: x = 1.")
        cpu = server.cpu_seconds()
        pairs = asyncio.run(measure(server.base_url, endpoint.base_url))
        cpu = (server.cpu_seconds() - cpu) / (WARM_UP + PAIRS)
    runs, calls = [run for run, _ in pairs], [call for _, call in pairs]
    added = statistics.median(run.completed - call.completed for run, call in pairs)
    added_first = statistics.median(run.first_token - call.first_token for run, call in pairs)
    ratio = statistics.median(run.completed / call.completed for run, call in pairs)
    report(
        f"A run against a direct call of the same zero-latency endpoint, {PAIRS} pairs in turn",
        [
            ("create → completed, run", milliseconds([run.completed for run in runs]), ""),
            ("request → end, direct", milliseconds([call.completed for call in calls]), ""),
            ("added at the median", f"{added * 1000:.1f} ms ({ratio:.1f} times)", "≤ 15 ms"),
            ("first token, run", milliseconds([run.first_token for run in runs]), ""),
            ("first token, direct", milliseconds([call.first_token for call in calls]), ""),
            ("added at the median", f"{added_first * 1000:.1f} ms", "≤ 10 ms"),
            ("server CPU for a thread and its run", f"{cpu * 1000:.1f} ms", ""),
        ],
    )


if __name__ == "__main__":
    main()
