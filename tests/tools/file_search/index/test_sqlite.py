"""What holds of the index in a SQLite file alone; test_index.py has the rest."""

import sqlite3
from pathlib import Path

import pytest

from lib.tools.file_search.index.sqlite import IndexVersionError, SqliteIndex


def test_an_index_of_another_version_is_refused_in_words(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "old.db") as database:
        database.execute("PRAGMA user_version = 99")

    with pytest.raises(IndexVersionError, match="version 99"):
        SqliteIndex(tmp_path / "old.db")
