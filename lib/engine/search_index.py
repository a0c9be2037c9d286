"""Which database holds the search index, and whether what is in it is still of use.

An index that was not the one in use has missed changes. So DATA_DIR notes which one is: a change
of SEARCH_DATABASE_URL, or of what it points to, has the index made anew.
"""

import json
import logging
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from lib.store.database import StorageError
from lib.tools.file_search.index.protocol import Index
from lib.tools.file_search.index.sqlite import IndexVersionError, SqliteIndex

logger = logging.getLogger(__name__)

NOTE_NAME = "search-index.json"


@dataclass(frozen=True)
class OpenedIndex:
    """`is_new` tells that it holds nothing yet. Call `note_use` once that is taken care of."""

    index: Index
    is_new: bool
    note_use: Callable[[], None]


@dataclass(frozen=True)
class _Note:
    """`owner` names this DATA_DIR to a database; `generation` is that of the index in use there,
    None while SQLite is in use."""

    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    generation: str | None = None


def open_index(data_dir: Path, url: str | None) -> OpenedIndex:
    """The index in the Postgres database at `url`, or in DATA_DIR. Raises StorageError."""
    note = _read_note(data_dir / NOTE_NAME)
    return _open_postgres(data_dir, url, note) if url else _open_sqlite(data_dir, note)


def check_index(data_dir: Path, url: str | None) -> None:
    """Raises StorageError when the index cannot be opened."""
    open_index(data_dir, url).index.close()


def _open_postgres(data_dir: Path, url: str, note: _Note | None) -> OpenedIndex:
    # Only who asks for Postgres pays for its driver.
    from lib.tools.file_search.index.postgres import PostgresIndex, PostgresUnusableError

    note = note or _Note()
    # The owner is noted before the database hears of it: it must be known after a kill.
    _write_note(data_dir / NOTE_NAME, note)
    try:
        index = PostgresIndex(url)
        generation = index.claim(note.owner, note.generation)
    except PostgresUnusableError as error:
        raise StorageError(f"SEARCH_DATABASE_URL cannot be used: {error}.") from error
    in_use = _Note(note.owner, generation)
    return OpenedIndex(index, in_use != note, partial(_write_note, data_dir / NOTE_NAME, in_use))


def _open_sqlite(data_dir: Path, note: _Note | None) -> OpenedIndex:
    path = data_dir / "search.db"
    if note is None:
        return OpenedIndex(*_sqlite(path), lambda: None)
    if note.generation is not None:
        _move_aside(path)
    in_use = _Note(note.owner)
    return OpenedIndex(*_sqlite(path), partial(_write_note, data_dir / NOTE_NAME, in_use))


def _sqlite(path: Path) -> tuple[Index, bool]:
    """That of another version is moved aside."""
    is_new = not path.exists()
    try:
        return SqliteIndex(path), is_new
    except IndexVersionError as error:
        logger.warning("The search index is built anew. %s", error)
    _move_aside(path)
    return SqliteIndex(path), True


def _move_aside(path: Path) -> None:
    found = [path] if path.exists() else []
    for old in (*found, *path.parent.glob(f"{path.name}-*")):
        old.replace(old.with_name(f"old-{old.name}"))


def _read_note(path: Path) -> _Note | None:
    try:
        return _Note(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(
            f"{path} cannot be read ({type(error).__name__}); remove it to have the search index "
            "made anew."
        ) from error


def _write_note(path: Path, note: _Note) -> None:
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(asdict(note)))
        fresh.replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.") from error
