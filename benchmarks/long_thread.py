"""Is page 1 of 100,000 messages in one thread as quick as page 1 of 100?

python -m benchmarks.long_thread
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy import insert
from sqlalchemy.orm import Session

from benchmarks.harness import Connection, milliseconds, model_endpoint, report, studio
from lib.engine.messages import add_thread
from lib.store.database import Store, open_store
from lib.store.ids import new_id
from lib.store.tables import MessageRow, ThreadRow

LONG = 100_000
SHORT = 100
PAIRS = 200
WARM_UP = 20


def fill(session: Session, messages: int) -> str:
    """A thread with that many messages; returns its id."""
    thread: ThreadRow = add_thread(session, {}, {}, [])
    rows = [
        {
            "id": new_id("msg_"),
            "created_at": thread.created_at,
            "thread_id": thread.id,
            "role": "user",
            "status": "completed",
            "content": [{"type": "text", "text": {"value": f"Message {at}.", "annotations": []}}],
            "attachments": [],
            "metadata_": {},
            "completed_at": thread.created_at,
        }
        for at in range(messages)
    ]
    session.execute(insert(MessageRow), rows)
    return thread.id


async def fill_both(store: Store) -> tuple[str, str]:
    long_id = await store.write(lambda session: fill(session, LONG))
    return long_id, await store.write(lambda session: fill(session, SHORT))


def prepared(data_dir: Path) -> tuple[str, str]:
    """The ids of the long thread and the short one."""
    store = open_store(f"sqlite:///{data_dir / 'studio.db'}")
    try:
        return asyncio.run(fill_both(store))
    finally:
        store.close()


async def timed(connection: Connection, path: str) -> float:
    began = time.perf_counter()
    page = await connection.get(path)
    assert len(page["data"]) == 20 and page["has_more"]
    return time.perf_counter() - began


async def measure(url: str, long_id: str, short_id: str) -> list[tuple[float, float]]:
    connection = Connection(url)
    long_path, short_path = f"/threads/{long_id}/messages", f"/threads/{short_id}/messages"
    pairs = [
        (await timed(connection, long_path), await timed(connection, short_path))
        for _ in range(WARM_UP + PAIRS)
    ]
    connection.close()
    return pairs[WARM_UP:]


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, model_endpoint() as endpoint:
        data_dir = Path(directory)
        long_id, short_id = prepared(data_dir)
        with studio(endpoint.base_url, data_dir) as server:
            pairs = asyncio.run(measure(server.base_url, long_id, short_id))
    ratio = statistics.median(long / short for long, short in pairs)
    report(
        f"Page 1 of a thread's messages, {PAIRS} pairs in turn",
        [
            (f"of {LONG:,} messages", milliseconds([long for long, _ in pairs]), "≤ 20 ms"),
            (f"of {SHORT} messages", milliseconds([short for _, short in pairs]), ""),
            ("ratio", f"{ratio:.2f} times", ""),
        ],
    )


if __name__ == "__main__":
    main()
