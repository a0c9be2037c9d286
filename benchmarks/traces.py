"""What does tracing cost a run, and the server's exit, whatever the network is like?

python -m benchmarks.traces
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from benchmarks.harness import (
    ROOT,
    Connection,
    Server,
    model_endpoint,
    new_assistant,
    new_thread,
    report,
    studio,
)
from tests.doubles.trace_network import CONDITIONS

PAIRS = 300
WARM_UP = 30
_EXIT_WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds. `threads` are what is left of both servers after they ended."""

    plain: list[float]
    traced: list[float]
    plain_exit: float
    traced_exit: float
    threads: int
    state: str

    @property
    def added(self) -> float:
        pairs = zip(self.plain, self.traced, strict=True)
        return statistics.median(traced - plain for plain, traced in pairs)


@contextmanager
def agentops(condition: str) -> Iterator[dict[str, str]]:
    """The tests' double in a process of its own. Yields the settings that lead to it."""
    command = [sys.executable, "-m", "tests.doubles.trace_network", condition]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin and process.stdout
        settings = json.loads(process.stdout.readline())
        yield {name.upper(): value for name, value in settings.items()}
        process.stdin.close()


class Client:
    """Lets one server run one assistant, again and again."""

    def __init__(self, server: Server) -> None:
        self._connection = Connection(server.base_url)
        self._assistant_id = ""

    async def run(self) -> float:
        """Seconds from the request to the end of the run."""
        self._assistant_id = self._assistant_id or await new_assistant(self._connection)
        thread_id = await new_thread(self._connection)
        body = {"assistant_id": self._assistant_id, "stream": True}
        began, completed = time.perf_counter(), 0.0
        async for name, _ in self._connection.stream(f"/threads/{thread_id}/runs", body):
            if name == "thread.run.completed":
                completed = time.perf_counter() - began
        assert completed, "the run did not complete"
        return completed

    async def state(self) -> str:
        """What the server says of its deliveries."""
        state = (await self._connection.get("/health"))["traces"]["agentops"]
        return f"{state['phase']}, {state['waiting']} waiting"

    def close(self) -> None:
        self._connection.close()


async def alternate(plain: Client, traced: Client) -> tuple[list[float], list[float]]:
    """Runs of both in turn. Every other pair begins with the traced one: what is sent after a run
    is paid for by the next."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(WARM_UP + PAIRS):
        order = (0, 1) if number % 2 else (1, 0)
        for which in order:
            times[which].append(await (plain, traced)[which].run())
    return times[0][WARM_UP:], times[1][WARM_UP:]


def end(server: Server) -> tuple[float, int]:
    """Ask the server to end. Returns the seconds that it took, and the threads that go on."""
    family = [server.process, *server.process.children(recursive=True)]
    began = time.perf_counter()
    server.process.terminate()
    server.process.wait(_EXIT_WITHIN)
    took = time.perf_counter() - began
    left = [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    return took, sum(one.num_threads() for one in left)


async def _measure(servers: tuple[Server, Server]) -> tuple[list[float], list[float], str]:
    plain, traced = (Client(server) for server in servers)
    times = await alternate(plain, traced)
    # One more, so that the exit comes in the middle of a delivery.
    await traced.run()
    state = await traced.state()
    plain.close()
    traced.close()
    return *times, state


def measure(model_url: str, condition: str) -> Outcome:
    with (
        agentops(condition) as settings,
        studio(model_url) as plain,
        studio(model_url, more=settings) as traced,
    ):
        plain_times, traced_times, state = asyncio.run(_measure((plain, traced)))
        traced_exit, threads = end(traced)
        plain_exit, more_threads = end(plain)
    return Outcome(
        plain_times, traced_times, plain_exit, traced_exit, threads + more_threads, state
    )


def main() -> None:
    outcomes: dict[str, Outcome] = {}
    with model_endpoint() as endpoint:
        endpoint.answer_with(text="Subtract 11, then divide by 3: x = 1.")
        for condition in CONDITIONS:
            outcomes[condition] = measure(endpoint.base_url, condition)
            print(f"{condition}: {outcomes[condition].state}", file=sys.stderr)
    report(
        f"Added to a run by tracing, against a server without, {PAIRS} pairs in turn",
        [(name, _added(one), "≤ 2 ms at the median") for name, one in outcomes.items()],
    )
    report(
        "Exit after SIGTERM, in the middle of a delivery",
        [(name, _exit(one), "≤ 3 s, no thread left") for name, one in outcomes.items()],
    )


def _added(outcome: Outcome) -> str:
    plain, traced = statistics.median(outcome.plain), statistics.median(outcome.traced)
    return (
        f"{outcome.added * 1000:+.2f} ms "
        f"(medians: without {plain * 1000:.1f} ms, with {traced * 1000:.1f} ms)"
    )


def _exit(outcome: Outcome) -> str:
    return (
        f"{outcome.traced_exit:.2f} s (without {outcome.plain_exit:.2f} s), "
        f"threads left {outcome.threads}; {outcome.state}"
    )


if __name__ == "__main__":
    main()
