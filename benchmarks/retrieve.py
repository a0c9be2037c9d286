"""How many runs can be retrieved in a second on one core?

python -m benchmarks.retrieve
"""

import asyncio
import json
import os
import time
from dataclasses import dataclass

from benchmarks.harness import (
    Connection,
    Server,
    model_endpoint,
    new_assistant,
    new_thread,
    report,
    studio,
)

SECONDS = 3.0
CONNECTIONS = 16
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests a second: of the clock, and of the server's own processor time."""

    by_clock: float
    by_cpu: float


async def keep_asking(connection: Connection, path: str, until: float) -> int:
    asked = 0
    while time.perf_counter() < until:
        await connection.get(path)
        asked += 1
    return asked


async def rate(server: Server, path: str) -> Rate:
    connections = [Connection(server.base_url) for _ in range(CONNECTIONS)]
    await asyncio.gather(*(connection.get(path) for connection in connections))
    cpu, began = server.cpu_seconds(), time.perf_counter()
    asked = await asyncio.gather(
        *(keep_asking(connection, path, began + SECONDS) for connection in connections)
    )
    took, cpu = time.perf_counter() - began, server.cpu_seconds() - cpu
    for connection in connections:
        connection.close()
    return Rate(sum(asked) / took, sum(asked) / cpu)


async def finished_run(url: str) -> str:
    """Makes a run; returns its path."""
    connection = Connection(url)
    assistant_id, thread_id = await new_assistant(connection), await new_thread(connection)
    path = f"/threads/{thread_id}/runs"
    body = {"assistant_id": assistant_id, "stream": True}
    events = [event async for event in connection.stream(path, body)]
    connection.close()
    run = next(json.loads(data) for name, data in events if name == "thread.run.completed")
    return f"{path}/{run['id']}"


async def measure(server: Server, baseline: Server) -> list[tuple[Rate, Rate]]:
    path = await finished_run(server.base_url)
    return [(await rate(server, path), await rate(baseline, "/models")) for _ in range(ROUNDS)]


def main() -> None:
    with model_endpoint() as endpoint, studio(endpoint.base_url) as server:
        # All threads of a server share one core, the load comes from another.
        server.pin_to(0)
        endpoint.pin_to(0)
        os.sched_setaffinity(0, {1})
        rates = asyncio.run(measure(server, endpoint))
    ours, bare = (max(pair, key=lambda rate: rate.by_cpu) for pair in zip(*rates, strict=True))
    report(
        f"runs.retrieve on one core, {CONNECTIONS} connections, best of {ROUNDS} rounds",
        [
            ("a second of processor time", f"{ours.by_cpu:.0f} requests", "≥ 500"),
            ("a second of the clock", f"{ours.by_clock:.0f} requests", ""),
            ("bare ASGI server, of processor time", f"{bare.by_cpu:.0f} requests", ""),
            ("cost against the bare server", f"{bare.by_cpu / ours.by_cpu:.1f} times", ""),
        ],
    )


if __name__ == "__main__":
    main()
