import asyncio
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from lib.store.database import StorageError, Store, open_store
from lib.store.tables import AssistantRow, Base


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'new' / 'studio.db'}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(url(tmp_path))
    yield store
    store.close()


def assistant(number: int) -> AssistantRow:
    return AssistantRow(
        id=f"asst_{number}",
        created_at=0,
        model="m",
        tools=[],
        tool_resources={},
        metadata_={},
    )


def schema_of(folder: Path) -> list[tuple[str]]:
    with sqlite3.connect(folder / "new" / "studio.db") as database:
        return database.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()


def test_migrations_run_again_change_nothing(tmp_path: Path) -> None:
    open_store(url(tmp_path)).close()
    first = schema_of(tmp_path)

    open_store(url(tmp_path)).close()

    assert schema_of(tmp_path) == first


def test_migrations_make_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    open_store(url(tmp_path)).close()

    with sqlite3.connect(tmp_path / "new" / "studio.db") as database:
        for table in Base.metadata.sorted_tables:
            columns = database.execute(f"PRAGMA table_info({table.name})").fetchall()
            assert {column[1] for column in columns} == {column.name for column in table.columns}


async def test_a_unit_of_work_that_fails_changes_nothing(store: Store) -> None:
    def half(session: Session) -> None:
        session.add(assistant(1))
        session.flush()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.write(half)

    assert await store.read(lambda session: session.scalars(select(AssistantRow)).all()) == []


async def test_writes_happen_in_the_order_in_which_they_were_asked_for(store: Store) -> None:
    def add(number: int) -> None:
        store.write(lambda session: session.add(assistant(number)))

    for number in range(50):
        add(number)
    await store.write(lambda session: session.flush())

    query = select(AssistantRow.id).order_by(AssistantRow.position)
    ids = await store.read(lambda session: session.scalars(query).all())
    assert ids == [f"asst_{number}" for number in range(50)]


async def test_reading_goes_on_while_something_is_written(store: Store) -> None:
    writing, may_end = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def write_slowly(session: Session) -> None:
        session.add(assistant(1))
        session.flush()
        loop.call_soon_threadsafe(writing.set)
        asyncio.run_coroutine_threadsafe(may_end.wait(), loop).result()

    written = store.write(write_slowly)
    await writing.wait()
    seen = await store.read(lambda session: session.scalars(select(AssistantRow.id)).all())
    may_end.set()
    await written

    assert seen == []


async def test_a_database_that_breaks_is_told_in_one_sentence(store: Store) -> None:
    with pytest.raises(StorageError, match=r"The database cannot be used: no such table: gone\."):
        await store.read(lambda session: session.execute(text("SELECT * FROM gone")))


@pytest.mark.parametrize("content", [os.urandom(8192), b"SQLite format 3\x00" + b"\xff" * 500])
def test_a_file_that_is_no_database_is_told_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    database = tmp_path / "new" / "studio.db"
    database.parent.mkdir()
    database.write_bytes(content)

    with pytest.raises(StorageError) as caught:
        open_store(url(tmp_path))

    assert str(caught.value).startswith(f"The database {database} cannot be opened: ")
    assert database.read_bytes() == content


def test_a_database_of_a_later_version_is_told_in_one_sentence(tmp_path: Path) -> None:
    open_store(url(tmp_path)).close()
    with sqlite3.connect(tmp_path / "new" / "studio.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StorageError, match="was made by another version of Assistants Studio"):
        open_store(url(tmp_path))


def test_a_file_in_place_of_the_folder_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("not a folder")

    with pytest.raises(StorageError, match="cannot be opened"):
        open_store(url(tmp_path))
