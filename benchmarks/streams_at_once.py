"""Do 1,000 streams of 100 tokens each keep up with a model that paces them? Up to which pace?

python -m benchmarks.streams_at_once
"""

import asyncio
import json
import time
from dataclasses import dataclass
from itertools import chain

from benchmarks.harness import (
    Connection,
    model_endpoint,
    new_assistant,
    new_thread,
    report,
    studio,
)

STREAMS = 1000
TOKENS = 100
LIMIT = 1.3
PACES = (0.8, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1)
"""Seconds from token to token, slowest first; the first that fails is the last tried."""
MAKERS = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """`took` and `ideal` in seconds; `whole` streams came complete, in order, with their end."""

    pace: float
    took: float
    ideal: float
    whole: int
    cpu: float

    @property
    def ratio(self) -> float:
        return self.took / self.ideal

    @property
    def holds(self) -> bool:
        return self.whole == STREAMS and self.ratio <= LIMIT


async def is_whole(connection: Connection, thread_id: str, assistant_id: str) -> bool:
    said: list[str] = []
    names: list[str] = []
    path, body = f"/threads/{thread_id}/runs", {"assistant_id": assistant_id, "stream": True}
    async for name, data in connection.stream(path, body):
        names.append(name)
        if name == "thread.message.delta":
            said.append(json.loads(data)["delta"]["content"][0]["text"]["value"])
        elif name == "thread.message.completed":
            final = json.loads(data)["content"][0]["text"]["value"]
    expected = " ".join(f"word{number}" for number in range(TOKENS))
    return "".join(said) == expected == final and names[-2:] == ["thread.run.completed", "done"]


async def make_threads(url: str) -> list[str]:
    connection = Connection(url)
    thread_ids = [await new_thread(connection) for _ in range(STREAMS // MAKERS)]
    connection.close()
    return thread_ids


async def stream_all(url: str) -> tuple[float, int]:
    """Seconds until the last stream was over, and how many came whole."""
    made = await asyncio.gather(*(make_threads(url) for _ in range(MAKERS)))
    thread_ids = list(chain.from_iterable(made))
    connections = [Connection(url) for _ in range(STREAMS)]
    assistant_id = await new_assistant(connections[0])
    began = time.perf_counter()
    whole = await asyncio.gather(
        *(
            is_whole(connection, thread_id, assistant_id)
            for connection, thread_id in zip(connections, thread_ids, strict=True)
        )
    )
    took = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return took, sum(whole)


def at_pace(pace: float) -> Outcome:
    with model_endpoint() as endpoint, studio(endpoint.base_url) as server:
        endpoint.answer_with(tokens=TOKENS, token_delay=pace)
        cpu = server.cpu_seconds()
        took, whole = asyncio.run(stream_all(server.base_url))
        cpu = server.cpu_seconds() - cpu
    return Outcome(pace, took, pace * (TOKENS - 1), whole, cpu)


def main() -> None:
    outcomes: list[Outcome] = []
    for pace in PACES:
        outcomes.append(at_pace(pace))
        if not outcomes[-1].holds:
            break
    rows = [
        (
            f"{one.pace * 1000:.0f} ms a token, {STREAMS / one.pace:.0f} tokens/s in all",
            f"{one.took:.1f} s, ideal {one.ideal:.1f} s: {one.ratio:.2f} times; "
            f"{one.whole} of {STREAMS} whole; server CPU {one.cpu:.1f} s",
            f"all whole, ≤ {LIMIT} times",
        )
        for one in outcomes
    ]
    holding = [one.pace for one in outcomes if one.holds]
    fastest = f"{holding[-1] * 1000:.0f} ms a token" if holding else "none of those tried"
    report(
        f"{STREAMS} streams at once of {TOKENS} tokens each",
        [*rows, ("fastest pace that holds", fastest, "")],
    )


if __name__ == "__main__":
    main()
