"""Does the server's memory stay flat over 5,000 finished runs?

python -m benchmarks.memory
"""

import asyncio

from benchmarks.harness import (
    Connection,
    Server,
    model_endpoint,
    new_assistant,
    new_thread,
    report,
    studio,
)

WARM_UP = 500
RUNS = 5000
SAMPLES = 10
AT_ONCE = 20


async def finish_runs(server: Server, assistant_id: str, runs: int) -> None:
    left = iter(range(runs))

    async def work() -> None:
        connection = Connection(server.base_url)
        for _ in left:
            path = f"/threads/{await new_thread(connection)}/runs"
            body = {"assistant_id": assistant_id, "stream": True}
            names = [name async for name, _ in connection.stream(path, body)]
            assert "thread.run.completed" in names
        connection.close()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


async def measure(server: Server) -> list[float]:
    """Memory after the warm-up and after each further tenth of the runs."""
    connection = Connection(server.base_url)
    assistant_id = await new_assistant(connection)
    connection.close()
    await finish_runs(server, assistant_id, WARM_UP)
    samples = [server.memory()]
    for _ in range(SAMPLES):
        await finish_runs(server, assistant_id, RUNS // SAMPLES)
        samples.append(server.memory())
    return samples


def main() -> None:
    with model_endpoint() as endpoint, studio(endpoint.base_url) as server:
        endpoint.answer_with(text="Subtract 11, then divide by 3: x = 1.")
        samples = asyncio.run(measure(server))
    first, last = samples[0], samples[-1]
    furthest = max(samples, key=lambda sample: abs(sample - first))
    report(
        f"Memory over {RUNS:,} finished runs, after {WARM_UP} to warm up",
        [
            ("at first", f"{first:.0f} MB", ""),
            ("after each tenth", ", ".join(f"{sample:.0f}" for sample in samples[1:]) + " MB", ""),
            ("at the end against the first", f"{(last / first - 1) * 100:+.1f} %", "± 10 %"),
            ("furthest away", f"{(furthest / first - 1) * 100:+.1f} %", "± 10 %"),
        ],
    )


if __name__ == "__main__":
    main()
