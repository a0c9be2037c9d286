"""Which database holds the search index, and when what is in it must be made anew."""

from pathlib import Path

import pytest

from lib.engine.search_index import NOTE_NAME, OpenedIndex, open_index
from lib.store.database import StorageError


def opened(data_dir: Path, url: str | None, *, is_noted: bool = True) -> OpenedIndex:
    """Open the index and close it again, as one start of the server does."""
    index = open_index(data_dir, url)
    if is_noted:
        index.note_use()
    index.index.close()
    return index


def test_an_index_is_new_once(tmp_path: Path, postgres_url: str) -> None:
    assert opened(tmp_path / "one", None).is_new
    assert not opened(tmp_path / "one", None).is_new
    assert opened(tmp_path / "two", postgres_url).is_new
    assert not opened(tmp_path / "two", postgres_url).is_new


def test_an_index_stays_new_until_its_use_is_noted(tmp_path: Path, postgres_url: str) -> None:
    assert opened(tmp_path, postgres_url, is_noted=False).is_new
    assert opened(tmp_path, postgres_url).is_new
    assert opened(tmp_path, None, is_noted=False).is_new
    assert opened(tmp_path, None).is_new
    assert not opened(tmp_path, None).is_new


def test_an_index_that_was_out_of_use_is_new_again(tmp_path: Path, postgres_url: str) -> None:
    opened(tmp_path, None)

    assert opened(tmp_path, postgres_url).is_new
    assert opened(tmp_path, None).is_new
    assert opened(tmp_path, postgres_url).is_new


def test_two_data_dirs_do_not_share_a_database(tmp_path: Path, postgres_url: str) -> None:
    opened(tmp_path / "one", postgres_url)

    with pytest.raises(
        StorageError, match=r"SEARCH_DATABASE_URL cannot be used: .*another DATA_DIR"
    ):
        opened(tmp_path / "two", postgres_url)

    assert not opened(tmp_path / "one", postgres_url).is_new


def test_a_broken_note_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / NOTE_NAME).write_text("{")

    with pytest.raises(StorageError, match="remove it to have the search index made anew"):
        opened(tmp_path, None)
