"""The database: units of work in threads of their own, awaited by the async engine.

A unit of work is a plain function over a SQLAlchemy session. Running it whole in one thread costs
a single hand-over; SQLAlchemy's asyncio layer over SQLite pays one per statement, which measured
more than twice the time (`benchmarks/store.py`). Writes go through one thread in the order they
were asked for, as SQLite has one writer anyway.
"""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session

T = TypeVar("T")

_READERS = 4


class StorageError(Exception):
    """The database cannot be read or written. The text says what to do."""


class Store:
    """Reads and writes of one database. Open with `open_store`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")

    def read(self, work: Callable[[Session], T]) -> "asyncio.Future[T]":
        """Run a unit of work that changes nothing. Raises StorageError."""
        return asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def write(self, work: Callable[[Session], T]) -> "asyncio.Future[T]":
        """Run a unit of work whole or not at all, after all writes asked for earlier.

        It is under way when this returns, awaited or not. Raises StorageError when the database
        refuses (a full disk), and whatever `work` raises.
        """
        return asyncio.get_running_loop().run_in_executor(self._writer, self._write, work)

    def close(self) -> None:
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        self._engine.dispose()

    def _read(self, work: Callable[[Session], T]) -> T:
        try:
            with Session(self._engine, expire_on_commit=False) as session:
                return work(session)
        except IntegrityError:
            raise
        except DatabaseError as error:
            raise StorageError(_sentence(error)) from error

    def _write(self, work: Callable[[Session], T]) -> T:
        try:
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                return work(session)
        except IntegrityError:
            raise
        except DatabaseError as error:
            raise StorageError(_sentence(error)) from error


def open_store(url: str) -> Store:
    """Open the database, made and brought up to date where needed. Raises StorageError."""
    path = Path(url.removeprefix("sqlite:///"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, json_serializer=_compact, pool_size=_READERS + 1)
        event.listen(engine, "connect", configure)
        _migrate(engine)
    except (OSError, DatabaseError) as error:
        raise StorageError(f"The database {path} cannot be opened: {_reason(error)}.") from error
    except CommandError as error:
        raise StorageError(
            f"The database {path} was made by another version of Assistants Studio. Start that "
            "version, or choose another DATA_DIR."
        ) from error
    return Store(engine)


def configure(connection: Any, _record: Any) -> None:
    """Set up a new SQLite connection: readers beside the writer, and foreign keys that hold."""
    cursor = connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "foreign_keys = ON",
        "busy_timeout = 10000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _sentence(error: DatabaseError) -> str:
    if "full" in _reason(error):
        return "The disk is full: nothing was changed. Free some space and try again."
    return f"The database cannot be used: {_reason(error)}."


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error)
