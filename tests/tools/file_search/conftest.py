from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.tools.file_search.index.sqlite import SqliteIndex
from tests.tools.file_search.embedders import WordEmbedder


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SqliteIndex]:
    index = SqliteIndex(tmp_path / "search.db")
    yield index
    index.close()


@pytest.fixture
def embedder() -> WordEmbedder:
    return WordEmbedder()
