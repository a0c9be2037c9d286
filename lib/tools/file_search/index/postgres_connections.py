"""Connections to Postgres for callers that block: they live on an event loop in a thread of its
own, and any thread may use them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import asyncpg

from lib.tools.file_search.index.protocol import IndexUnavailableError

T = TypeVar("T")
Connection = Any
"""asyncpg comes without types."""

MOST_CONNECTIONS = 8
CONNECT_SECONDS = 10.0
COMMAND_SECONDS = 300.0
CLOSE_SECONDS = 5.0
_UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    # What comes of using a connection in the moment in which the server ends it.
    asyncpg.InternalClientError,
)


class PostgresConnections:
    """A pool of connections to one database; lost ones are replaced when they are next needed."""

    def __init__(self, url: str) -> None:
        """Raises what asyncpg raises when the database cannot be reached."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="search-database", daemon=True
        )
        self._thread.start()
        try:
            self._pool = self._wait(_open_pool(url))
        except BaseException:
            self._stop()
            raise

    def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do the work in one transaction, whole or not at all. Raises IndexUnavailableError."""
        return self._answered(self._transaction(work))

    def read(self, query: str, *values: Any) -> list[Any]:
        """The rows of a query. Raises IndexUnavailableError."""
        return self._answered(self._fetch(query, *values))

    def close(self) -> None:
        with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._wait(self._close_pool())
        self._stop()

    async def _transaction(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._connection() as connection, connection.transaction():
            return await work(connection)

    async def _fetch(self, query: str, *values: Any) -> list[Any]:
        async with self._connection() as connection:
            rows: list[Any] = await connection.fetch(query, *values)
            return rows

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            connection = await self._pool.acquire(timeout=CONNECT_SECONDS)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise _unavailable(error) from error
        try:
            yield connection
        except _UNAVAILABLE:
            connection.terminate()
            raise
        finally:
            await self._pool.release(connection)

    async def _close_pool(self) -> None:
        try:
            await asyncio.wait_for(self._pool.close(), CLOSE_SECONDS)
        except TimeoutError:
            self._pool.terminate()
            # Whoever still waits for an answer must be told before the loop ends.
            others = asyncio.all_tasks() - {asyncio.current_task()}
            if others:
                await asyncio.wait(others, timeout=CLOSE_SECONDS)

    def _answered(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._wait(work)
        except _UNAVAILABLE as error:
            # The driver's complaints about values are of this family too.
            if isinstance(error, ValueError):
                raise
            raise _unavailable(error) from error

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _open_pool(url: str) -> Any:
    pool = await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=MOST_CONNECTIONS,
        timeout=CONNECT_SECONDS,
        command_timeout=COMMAND_SECONDS,
        reset=_keep_as_it_is,
        # Compiling a search takes longer than the search.
        server_settings={"jit": "off"},
    )
    await pool.release(await pool.acquire())
    return pool


async def _keep_as_it_is(_connection: Connection) -> None:
    """Nothing here changes a connection, so none need be asked to forget a change."""


def _unavailable(error: Exception) -> IndexUnavailableError:
    return IndexUnavailableError(
        f"The database of SEARCH_DATABASE_URL does not answer ({type(error).__name__}); "
        "try again once it does."
    )
