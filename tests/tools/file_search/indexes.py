"""The implementations of the index, each in a database of a test's own."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Protocol

from lib.tools.file_search.index.postgres import PostgresIndex
from lib.tools.file_search.index.protocol import Index
from lib.tools.file_search.index.sqlite import SqliteIndex
from tests.postgres import rows_of


class IndexHome(Protocol):
    """Where an index lives, for a test to open it and to look inside."""

    address: str

    def left_over(self) -> dict[str, int]:
        """How many rows of each kind there are, and that none of them is without its file."""
        ...


_SQLITE_TABLES = {"stores": "stores", "files": "files", "chunks": "chunks", "embedded": "vectors"}


class SqliteHome:
    def __init__(self, path: Path) -> None:
        self.address = str(path)

    def left_over(self) -> dict[str, int]:
        with closing(sqlite3.connect(self.address, isolation_level=None)) as database:
            database.execute("INSERT INTO keywords (keywords) VALUES ('integrity-check')")
            return {
                kind: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for kind, table in _SQLITE_TABLES.items()
            }


class PostgresHome:
    def __init__(self, url: str) -> None:
        self.address = url

    def left_over(self) -> dict[str, int]:
        stray = " UNION ALL ".join(
            f"SELECT file FROM file_search_{table}" for table in ("chunks", "postings", "windows")
        )
        assert not rows_of(
            self.address,
            f"SELECT file FROM ({stray}) AS kept"
            " WHERE file NOT IN (SELECT row FROM file_search_files)",
        )
        totals = rows_of(
            self.address,
            "SELECT (SELECT count(*) FROM file_search_stores) AS stores,"
            " (SELECT count(*) FROM file_search_files) AS files,"
            " (SELECT count(*) FROM file_search_chunks) AS chunks,"
            " (SELECT count(DISTINCT file) FROM file_search_windows) AS embedded",
        )
        counted = rows_of(self.address, "SELECT sum(chunk_count) AS sum FROM file_search_stores")
        assert (counted[0]["sum"] or 0) == totals[0]["chunks"]
        return dict(totals[0])


def open_index_at(address: str) -> Index:
    if address.startswith("postgresql://"):
        return PostgresIndex(address)
    return SqliteIndex(Path(address))
