from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.tools.file_search.index.protocol import Index
from tests.tools.file_search.embedders import WordEmbedder
from tests.tools.file_search.indexes import IndexHome, PostgresHome, SqliteHome, open_index_at


@pytest.fixture(params=["sqlite", "postgres"])
def index_home(request: pytest.FixtureRequest, tmp_path: Path) -> IndexHome:
    if request.param == "sqlite":
        return SqliteHome(tmp_path / "search.db")
    return PostgresHome(request.getfixturevalue("postgres_url"))


@pytest.fixture
def index(index_home: IndexHome) -> Iterator[Index]:
    """One test, every implementation."""
    index = open_index_at(index_home.address)
    yield index
    index.close()


@pytest.fixture
def embedder() -> WordEmbedder:
    return WordEmbedder()
