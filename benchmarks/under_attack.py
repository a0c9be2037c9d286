"""Do other requests stay quick while code in the sandbox does its worst?

python -m benchmarks.under_attack
"""

import asyncio
import json
import statistics
import time

from benchmarks.harness import (
    MODEL,
    Connection,
    ModelEndpoint,
    Server,
    milliseconds,
    model_endpoint,
    new_thread,
    p95,
    report,
    studio,
)
from benchmarks.retrieve import finished_run

ATTACKERS = 4
SECONDS = 8.0
PAUSE = 0.01
"""Seconds between two requests of the one who asks."""
SETTLING = 1.0
STOP_ATTEMPTS = 300
ENDED = ("completed", "failed", "cancelled", "incomplete", "expired")
ATTACKS = {
    "endless computing": "while True: pass",
    "a fork bomb": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "endless output": "while True: print('x' * 1000)",
    "memory without end": "hoard = []\nwhile True: hoard.append(bytearray(1 << 24))",
    "files without end": "n = 0\nwhile True:\n    open(f'f{n}', 'w').write('x' * 9999)\n    n += 1",
    "figures": "import matplotlib.pyplot as plt\nfor n in range(99): plt.plot([n]); plt.show()",
}


async def times(server: Server, path: str) -> list[float]:
    """Seconds of each request, one after the other."""
    connection = Connection(server.base_url)
    taken: list[float] = []
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        began = time.perf_counter()
        await connection.get(path)
        taken.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE)
    connection.close()
    return taken


async def attack(server: Server, assistant_id: str) -> str:
    """A run whose model does nothing but attack; gives its path."""
    connection = Connection(server.base_url)
    thread_id = await new_thread(connection)
    path = f"/threads/{thread_id}/runs"
    run = await connection.post(path, {"assistant_id": assistant_id})
    connection.close()
    return f"{path}/{run['id']}"


async def stop(server: Server, path: str) -> None:
    connection = Connection(server.base_url)
    run = await connection.get(path)
    if run["status"] not in ENDED:
        await connection.post(f"{path}/cancel", {})
    for _attempt in range(STOP_ATTEMPTS):
        if (await connection.get(path))["status"] in ENDED:
            break
        await asyncio.sleep(0.1)
    connection.close()


async def measure(server: Server, endpoint: ModelEndpoint) -> list[tuple[str, str, str]]:
    asking = Connection(server.base_url)
    endpoint.answer_with(text="Fine.")
    path = await finished_run(server.base_url)
    body = {"model": MODEL, "tools": [{"type": "code_interpreter"}]}
    assistant_id = str((await asking.post("/assistants", body))["id"])
    asking.close()
    rows: list[tuple[str, str, str]] = []
    ratios: list[float] = []
    for name, code in ATTACKS.items():
        quiet = await times(server, path)
        endpoint.answer_with(calls=[("code_interpreter", json.dumps({"code": code}))])
        attackers = [await attack(server, assistant_id) for _ in range(ATTACKERS)]
        await asyncio.sleep(SETTLING)
        attacked = await times(server, path)
        await asyncio.gather(*(stop(server, one) for one in attackers))
        ratios.append(p95(attacked) / p95(quiet))
        rows.append((f"{name}: before", milliseconds(quiet), ""))
        rows.append((f"{name}: meanwhile", milliseconds(attacked), ""))
        rows.append(
            (
                f"{name}: p95 {p95(quiet) * 1000:.1f} → {p95(attacked) * 1000:.1f} ms, ratio",
                f"{ratios[-1]:.2f}",
                "≤ 2",
            ),
        )
    rows.append(("p95, median ratio of all attacks", f"{statistics.median(ratios):.2f}", "≤ 2"))
    return rows


def main() -> None:
    more = {"CODE_TIMEOUT": "5", "MAX_TOOL_ROUNDS": "100", "EMBEDDER": "off"}
    with model_endpoint() as endpoint, studio(endpoint.base_url, more=more) as server:
        rows = asyncio.run(measure(server, endpoint))
    report(f"runs.retrieve while {ATTACKERS} threads attack from the sandbox", rows)


if __name__ == "__main__":
    main()
