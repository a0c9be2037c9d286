"""What do units of work in threads cost beside SQLAlchemy's asyncio layer? Why the store is so.

python -m benchmarks.store
"""

import asyncio
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import event, func, select
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

from benchmarks.harness import report
from lib.engine.messages import NewMessage, add_message, add_thread
from lib.store.database import Store, configure, open_store
from lib.store.queries import find
from lib.store.tables import MessageRow, ThreadRow

UNITS = 400
ROUNDS = 7
AT_ONCE = (1, 50)

Unit = Callable[[Session], object]
Do = Callable[[Unit], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds a unit: of the clock, and of processor time over all threads."""

    clock: float
    cpu: float


def question_and_answer(session: Session) -> None:
    """Eleven statements, as a short run comes to: look up, write, look again."""
    thread = add_thread(session, {}, {}, [])
    for role in ("user", "assistant", "user", "assistant"):
        text = [{"type": "text", "text": {"value": "x = 1.", "annotations": []}}]
        add_message(session, find(session, ThreadRow, thread.id), NewMessage(role, text))
        session.flush()
    session.scalar(select(func.count()).where(MessageRow.thread_id == thread.id))


async def cost(do: Do, at_once: int) -> Cost:
    left = iter(range(UNITS))

    async def work() -> None:
        for _ in left:
            await do(question_and_answer)

    clock, cpu = time.perf_counter(), _cpu_seconds()
    await asyncio.gather(*(work() for _ in range(at_once)))
    per_unit = 1000 / UNITS
    return Cost((time.perf_counter() - clock) * per_unit, (_cpu_seconds() - cpu) * per_unit)


async def measure(store: Store, engine: AsyncEngine, at_once: int) -> list[tuple[Cost, Cost]]:
    """Pairs of (units in threads, asyncio layer), taken in turn."""
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    one_writer = asyncio.Lock()

    async def through_asyncio_layer(unit: Unit) -> None:
        # SQLite has one writer; without the lock the layer spends its time on "database is locked".
        async with one_writer, sessions() as session, session.begin():
            await session.run_sync(unit)

    pairs = []
    for _ in range(ROUNDS + 1):
        threads = await cost(store.write, at_once)
        pairs.append((threads, await cost(through_asyncio_layer, at_once)))
    return pairs[1:]


async def measure_all(directory: Path) -> dict[int, list[tuple[Cost, Cost]]]:
    store = open_store(f"sqlite:///{directory / 'threads.db'}")
    open_store(f"sqlite:///{directory / 'asyncio.db'}").close()
    engine = create_async_engine(f"sqlite+aiosqlite:///{directory / 'asyncio.db'}")
    event.listen(engine.sync_engine, "connect", configure)
    try:
        return {at_once: await measure(store, engine, at_once) for at_once in AT_ONCE}
    finally:
        await engine.dispose()
        store.close()


def rows(at_once: int, pairs: list[tuple[Cost, Cost]]) -> list[tuple[str, str, str]]:
    def middle(of: Callable[[Cost, Cost], float]) -> float:
        return statistics.median(of(threads, layer) for threads, layer in pairs)

    return [
        (
            f"{at_once} at once: units in threads",
            f"{middle(lambda t, _: t.clock):.2f} ms, CPU {middle(lambda t, _: t.cpu):.2f} ms",
            "",
        ),
        (
            f"{at_once} at once: asyncio layer",
            f"{middle(lambda _, a: a.clock):.2f} ms, CPU {middle(lambda _, a: a.cpu):.2f} ms",
            "",
        ),
        (
            f"{at_once} at once: asyncio layer against threads",
            f"{middle(lambda t, a: a.clock / t.clock):.1f} times the time, "
            f"{middle(lambda t, a: a.cpu / t.cpu):.1f} times the CPU",
            "",
        ),
    ]


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        measured = asyncio.run(measure_all(Path(directory)))
    report(
        f"The same statements, {UNITS} units of work a round, {ROUNDS} rounds in turn",
        [row for at_once, pairs in measured.items() for row in rows(at_once, pairs)],
    )


if __name__ == "__main__":
    main()
