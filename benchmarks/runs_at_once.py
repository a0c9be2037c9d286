"""Do 500 runs on 500 threads finish together, against an endpoint that takes 2 seconds for each?

python -m benchmarks.runs_at_once
"""

import asyncio
import time

from benchmarks.harness import (
    Connection,
    direct_call,
    model_endpoint,
    new_assistant,
    new_thread,
    report,
    studio,
)

RUNS = 500
ENDPOINT_TAKES = 2.0
THREADS_MADE_AT_ONCE = 20


async def open_connections(url: str) -> list[Connection]:
    """One connection for each run, opened before the clock starts."""
    connections = [Connection(url) for _ in range(RUNS)]
    await asyncio.gather(*(connection.get("/models") for connection in connections))
    return connections


async def run_to_its_end(connection: Connection, thread_id: str, assistant_id: str) -> bool:
    path, body = f"/threads/{thread_id}/runs", {"assistant_id": assistant_id, "stream": True}
    names = [name async for name, _ in connection.stream(path, body)]
    return "thread.run.completed" in names


async def call_to_its_end(connection: Connection) -> bool:
    data = [data async for _, data in connection.stream("/chat/completions", direct_call())]
    return data[-1] == "[DONE]"


async def make_threads(connection: Connection) -> list[str]:
    return [await new_thread(connection) for _ in range(RUNS // THREADS_MADE_AT_ONCE)]


async def all_runs(url: str) -> tuple[float, int]:
    """Seconds until the last run was over, and how many completed."""
    connections = await open_connections(url)
    assistant_id = await new_assistant(connections[0])
    makers = (make_threads(connection) for connection in connections[:THREADS_MADE_AT_ONCE])
    thread_ids = [thread_id for made in await asyncio.gather(*makers) for thread_id in made]
    began = time.perf_counter()
    completed = await asyncio.gather(
        *(
            run_to_its_end(connection, thread_id, assistant_id)
            for connection, thread_id in zip(connections, thread_ids, strict=True)
        )
    )
    return time.perf_counter() - began, sum(completed)


async def all_calls(url: str) -> tuple[float, int]:
    """The same calls made directly."""
    connections = await open_connections(url)
    began = time.perf_counter()
    completed = await asyncio.gather(*(call_to_its_end(connection) for connection in connections))
    return time.perf_counter() - began, sum(completed)


def main() -> None:
    with model_endpoint() as endpoint, studio(endpoint.base_url) as server:
        endpoint.answer_with(text="x = 1.", initial_delay=ENDPOINT_TAKES)
        direct, direct_done = asyncio.run(all_calls(endpoint.base_url))
        cpu = server.cpu_seconds()
        took, done = asyncio.run(all_runs(server.base_url))
        cpu = server.cpu_seconds() - cpu
        peak = server.peak_memory()
    report(
        f"{RUNS} runs at once on {RUNS} threads, the endpoint takes {ENDPOINT_TAKES:.0f} s each",
        [
            ("runs completed", f"{done} of {RUNS}", "all"),
            ("direct calls completed", f"{direct_done} of {RUNS}", ""),
            ("all runs over after", f"{took:.2f} s", ""),
            ("all direct calls over after", f"{direct:.2f} s", ""),
            ("against the ideal of 2 s", f"{took / ENDPOINT_TAKES:.2f} times", "≤ 1.5 times"),
            ("against the direct calls", f"{took / direct:.2f} times", ""),
            ("server's peak memory", f"{peak:.0f} MB", "≤ 600 MB"),
            ("server CPU for a thread and its run", f"{cpu / RUNS * 1000:.1f} ms", ""),
        ],
    )


if __name__ == "__main__":
    main()
