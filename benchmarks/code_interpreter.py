"""How fast and how heavy the Code Interpreter is, side by side with plain Python and ipykernel.

Run on a quiet machine: python -m benchmarks.code_interpreter [bubblewrap|landlock]
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from jupyter_client.manager import KernelManager

from lib.tools.code_interpreter import worker
from lib.tools.code_interpreter.events import Done, LogText
from lib.tools.code_interpreter.interpreter import CodeInterpreter
from lib.tools.code_interpreter.sandbox.probe import Choice
from lib.tools.code_interpreter.session import Session

FIRST_CELL = "import pandas as pd; print(pd.DataFrame({'a': range(5)}).a.sum())"
WARM_CELL = "x = sum(range(100)); print(x)"
MATMUL = """
import time, numpy as np
a = np.random.rand(1200, 1200)
a @ a
best = []
for _round in range(7):
    started = time.perf_counter(); a @ a; best.append(time.perf_counter() - started)
print(min(best))
"""
ROUNDS = 20
SESSIONS = 50


async def run(session: Session, code: str) -> str:
    text = ""
    async for event in session.execute(code):
        if isinstance(event, LogText):
            text += event.text
        if isinstance(event, Done) and not event.ok:
            raise RuntimeError(text)
    return text


def row(name: str, ours: float, theirs: float, target: str, unit: str = "ms") -> None:
    scale = 1000 if unit == "ms" else 1
    ratio = ours / theirs if theirs else float("nan")
    ours, theirs = ours * scale, theirs * scale
    print(f"{name:46} {ours:9.2f} {theirs:9.2f} {unit:4} ratio {ratio:6.2f}   target {target}")


async def first_cells(interpreter: CodeInterpreter) -> float:
    """Seconds from asking for a new thread's session to the end of its first cell, median."""
    times = []
    for number in range(ROUNDS):
        started = time.perf_counter()
        await run(await interpreter.session(f"first_{number}"), FIRST_CELL)
        times.append(time.perf_counter() - started)
        await interpreter.delete(f"first_{number}")
        await asyncio.sleep(0.2)
    return statistics.median(times)


def fork_with_libraries() -> float:
    """Seconds for a fork of this process, libraries imported, to run the same cell, median."""
    times = []
    for _round in range(ROUNDS):
        read, write = os.pipe()
        started = time.perf_counter()
        child = os.fork()
        if child == 0:
            os.dup2(write, 1)
            exec(FIRST_CELL, {})
            sys.stdout.flush()
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            pipe.read()
        os.waitpid(child, 0)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


async def warm_cells(session: Session) -> float:
    await run(session, WARM_CELL)
    times = []
    for _round in range(ROUNDS * 5):
        started = time.perf_counter()
        await run(session, WARM_CELL)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def bare_exec() -> float:
    variables: dict[str, object] = {}
    quiet = WARM_CELL.replace("print(x)", "str(x)")
    times = []
    for _round in range(ROUNDS * 5):
        started = time.perf_counter()
        exec(compile(quiet, "cell", "exec"), variables)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def ipykernel() -> tuple[float, float]:
    """Seconds of a kernel's cold start with its first cell, and of a warm cell."""
    cold, warm = [], []
    for _round in range(3):
        started = time.perf_counter()
        manager = KernelManager()
        manager.start_kernel()
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready()
        client.execute_interactive(FIRST_CELL, output_hook=_ignore)
        cold.append(time.perf_counter() - started)
        for _cell in range(ROUNDS):
            started = time.perf_counter()
            client.execute_interactive(WARM_CELL, output_hook=_ignore)
            warm.append(time.perf_counter() - started)
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return statistics.median(cold), statistics.median(warm)


def _ignore(_message: object) -> None:
    """Output is counted as received, not shown."""


def private_bytes() -> int:
    """Of all processes below this one: private pages, and their share of shared anonymous ones.

    Shared libraries are left out: they are in memory once, whatever the number of sessions.
    """
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            maps = process.memory_maps(grouped=False)
        except psutil.Error:
            continue
        for area in maps:
            is_file = area.path.startswith("/")
            total += area.private_dirty + area.private_clean if is_file else area.pss
    return total


async def memory_of_sessions(interpreter: CodeInterpreter) -> float:
    """MB that each of many sessions adds, all of them used and alive."""
    before = private_bytes()
    sessions = [await interpreter.session(f"memory_{number}") for number in range(SESSIONS)]
    await asyncio.gather(*(run(session, FIRST_CELL) for session in sessions))
    added = (private_bytes() - before) / SESSIONS
    for number in range(SESSIONS):
        await interpreter.delete(f"memory_{number}")
    return added / 1e6


def memory_of_plain_process() -> float:
    """MB that a Python process with the same libraries takes by itself."""
    code = f"{FIRST_CELL}\nimport matplotlib.pyplot\nimport sys; sys.stdout.flush(); input()"
    before = private_bytes()
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.readline()
    time.sleep(0.5)
    used = private_bytes() - before
    process.communicate(b"\n")
    return used / 1e6


def plain_matmul() -> float:
    answer = subprocess.run([sys.executable, "-c", MATMUL], capture_output=True, check=True)
    return float(answer.stdout)


async def best_of(measure: Callable[[], float], times: int = 3) -> float:
    return min([await asyncio.to_thread(measure) for _round in range(times)])


async def compare(tier: Choice, files: Path) -> None:
    async with CodeInterpreter(files, tier) as interpreter:
        print(f"\n{interpreter.status.reason}\n{'':46} {'ours':>9} {'theirs':>9}")
        await measure_all(interpreter)


async def measure_all(interpreter: CodeInterpreter) -> None:
    await run(await interpreter.session("wake"), FIRST_CELL)
    first, forked = await first_cells(interpreter), fork_with_libraries()
    row("first cell of a new thread : fork of plain Python", first, forked, "<= 1.3, <= 300 ms")
    session = await interpreter.session("warm")
    warm, bare = await warm_cells(session), bare_exec()
    row("warm cell : bare exec", warm, bare, "<= 5 ms over it")
    cold_kernel, warm_kernel = await asyncio.to_thread(ipykernel)
    row("cold start : ipykernel", first, cold_kernel, "<= 0.25")
    row("warm cell : ipykernel", warm, warm_kernel, "<= 0.33")
    inside = min([float(await run(session, MATMUL)) for _round in range(3)])
    outside = await best_of(plain_matmul)
    row("numpy matmul, speed : native", 1 / inside, 1 / outside, ">= 0.95", "1/s")
    plain = await asyncio.to_thread(memory_of_plain_process)
    row(f"memory of each of {SESSIONS} sessions : own process",
        await memory_of_sessions(interpreter), plain, "<= 40 MB", "MB")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tiers", nargs="*", default=["bubblewrap", "landlock"])
    tiers = parser.parse_args().tiers
    worker.warm_up()
    print(f"load before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} processors")
    for tier in tiers:
        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(compare(tier, Path(directory) / "files"))
    print(f"\nload after: {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
