"""The index in one SQLite file: FTS5 for keywords, half-precision vectors scored exactly."""

import json
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.tools.file_search.chunking import Chunk, PageStart
from lib.tools.file_search.embedding.embedder import Vectors
from lib.tools.file_search.index.filters import AttributeValue
from lib.tools.file_search.index.keyword_query import TermReader, match_expression
from lib.tools.file_search.index.protocol import (
    FILENAME_WEIGHT,
    TEXT_WEIGHT,
    FileKey,
    FileVectors,
    IndexedFile,
    Match,
    Scope,
    StoredChunk,
)
from lib.tools.file_search.index.vector_cache import FileBlock, Segment, best_matches, segments_of
from lib.tools.file_search.index.words import prepared, query_words

SCHEMA = Path(__file__).with_name("schema.sql")
SCHEMA_VERSION = 1
BUSY_SECONDS = 30.0
CACHED_BYTES = 256 * 1024 * 1024
MOST_SMALL_SEGMENTS = 8
# Larger than SQLite's own: writes many files with a third less work, and searches as quickly.
PAGES_BEFORE_CHECKPOINT = 4000
PARTS_BEFORE_MERGE = 8
COUNTS_KEPT = 20_000

_FILE = """
    SELECT stores.store_id, files.*, vectors.row IS NOT NULL AS is_embedded,
        coalesce(length(vectors.vectors), 0) AS vector_bytes
    FROM files JOIN stores ON stores.row = files.store
    LEFT JOIN vectors ON vectors.file = files.row
"""


class IndexVersionError(Exception):
    """The file was written by another version of the product."""


class SqliteIndex:
    """An `Index` in the file at `path`. Several processes may use one file."""

    def __init__(self, path: Path) -> None:
        """Raises IndexVersionError for a file of another version."""
        self._path = path
        self._threads = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._writing = threading.Lock()
        self._caching = threading.Lock()
        self._caches: OrderedDict[tuple[str, str], _StoreCache] = OrderedDict()
        self._reader = TermReader()
        self._counts: dict[str, int] = {}
        self._counted_at = 0
        self._prepare()

    def add_file(self, file: IndexedFile, chunks: Sequence[Chunk]) -> None:
        with self._write() as database:
            self._remove(database, file.key)
            store = self._store_row(database, file.key.store_id)
            row = database.execute(
                "INSERT INTO files (store, file_id, filename, fingerprint, language,"
                " attributes, chunk_count, text_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(store, file.key.file_id, file.filename, file.fingerprint),
                    *(file.language, json.dumps(dict(file.attributes)), len(chunks)),
                    sum(len(chunk.text.encode()) for chunk in chunks),
                ),
            ).lastrowid
            self._add_chunks(database, store, int(row or 0), file, chunks)

    def add_vectors(
        self, key: FileKey, fingerprint: str, embedder: str, vectors: FileVectors | None
    ) -> None:
        with self._write() as database:
            row = self._file_row(database, key, fingerprint)
            if row is None:
                return
            database.execute("DELETE FROM vectors WHERE file = ?", (row,))
            database.execute("UPDATE files SET embedder = ? WHERE row = ?", (embedder, row))
            self._bump(database, key.store_id)
            if vectors is None:
                return
            database.execute(
                "INSERT INTO vectors (file, dimensions, windows_of_chunks, vectors)"
                " VALUES (?, ?, ?, ?)",
                (
                    *(row, vectors.vectors.shape[1]),
                    vectors.windows_of_chunks.astype(np.int32).tobytes(),
                    vectors.vectors.astype(np.float16).tobytes(),
                ),
            )

    def set_attributes(self, key: FileKey, attributes: Mapping[str, AttributeValue]) -> None:
        with self._write() as database:
            row = self._file_row(database, key)
            values = (json.dumps(dict(attributes)), row)
            database.execute("UPDATE files SET attributes = ? WHERE row = ?", values)

    def remove_file(self, key: FileKey) -> bool:
        with self._write() as database:
            return self._remove(database, key)

    def remove_store(self, store_id: str) -> None:
        # File by file, so that a large store never blocks the writers of others for long.
        for file in self.files(store_id):
            self.remove_file(file.key)
        with self._write() as database:
            database.execute(
                "DELETE FROM stores WHERE store_id = ?"
                " AND NOT EXISTS (SELECT 1 FROM files WHERE files.store = stores.row)",
                (store_id,),
            )
        with self._caching:
            for kept in [kept for kept in self._caches if kept[0] == store_id]:
                del self._caches[kept]

    def file(self, key: FileKey) -> IndexedFile | None:
        row = self._database.execute(
            f"{_FILE} WHERE stores.store_id = ? AND files.file_id = ?", key
        ).fetchone()
        return _file(row) if row else None

    def files(self, store_id: str) -> list[IndexedFile]:
        rows = self._database.execute(
            f"{_FILE} WHERE stores.store_id = ? ORDER BY files.row", (store_id,)
        )
        return [_file(row) for row in rows]

    def chunks(self, key: FileKey) -> list[Chunk]:
        rows = self._database.execute(
            "SELECT chunks.* FROM chunks JOIN files ON files.row = chunks.file"
            " JOIN stores ON stores.row = files.store"
            " WHERE stores.store_id = ? AND files.file_id = ? ORDER BY chunks.row",
            key,
        )
        return [_chunk(row) for row in rows]

    def search_keywords(self, scope: Scope, query: str, limit: int) -> list[Match]:
        stores = self._store_rows(scope.store_ids)
        words = query_words(query, self._languages(stores))
        expression = match_expression(words, self._reader, self._rows_with)
        if not expression:
            return []
        inside = " OR ".join(f"s{row}" for row in stores)
        match = f"store : ({inside}) AND {{filename text}} : ({expression})"
        condition, allowed = "", self._allowed_files(scope)
        values: list[Any] = [FILENAME_WEIGHT, TEXT_WEIGHT, match]
        if allowed is not None:
            condition = (
                "AND (SELECT file FROM chunks WHERE row = keywords.rowid)"
                " IN (SELECT value FROM json_each(?))"
            )
            values.append(json.dumps(allowed.tolist()))
        rows = self._database.execute(
            f"SELECT rowid, bm25(keywords, ?, ?, 0.0) AS badness FROM keywords"
            f" WHERE keywords MATCH ? {condition} ORDER BY badness LIMIT ?",
            [*values, limit],
        )
        return [Match(row, -badness) for row, badness in rows]

    def search_vectors(
        self, scope: Scope, embedder: str, vector: Vectors, limit: int
    ) -> list[Match]:
        allowed = self._allowed_files(scope)
        found: list[Match] = []
        for store_id in scope.store_ids:
            segments, dead = self._store_vectors(store_id, embedder)
            found += best_matches(segments, vector, allowed, dead, limit)
        return sorted(found, key=lambda match: -match.score)[:limit]

    def filenames(self, chunk_ids: Sequence[int]) -> dict[int, str]:
        rows = self._database.execute(
            "SELECT chunks.row, filename FROM chunks JOIN files ON files.row = chunks.file"
            " WHERE chunks.row IN (SELECT value FROM json_each(?))",
            (json.dumps(list(chunk_ids)),),
        )
        return {row[0]: row[1] for row in rows}

    def stored_chunks(self, chunk_ids: Sequence[int]) -> list[StoredChunk]:
        rows = self._database.execute(
            "SELECT * FROM chunks WHERE row IN (SELECT value FROM json_each(?))",
            (json.dumps(list(chunk_ids)),),
        ).fetchall()
        files = {row["file"]: None for row in rows}
        described = {
            row["row"]: _file(row)
            for row in self._database.execute(
                f"{_FILE} WHERE files.row IN (SELECT value FROM json_each(?))",
                (json.dumps(list(files)),),
            )
        }
        found = {
            row["row"]: StoredChunk(row["row"], described[row["file"]], _chunk(row))
            for row in rows
            if row["file"] in described
        }
        return [found[chunk_id] for chunk_id in chunk_ids if chunk_id in found]

    def close(self) -> None:
        for connection in self._open:
            connection.close()
        self._reader.close()

    def _prepare(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = self._database
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA_VERSION):
            raise IndexVersionError(
                f"The search index {self._path.name} has version {version}; this version of the "
                f"product reads version {SCHEMA_VERSION}. Move it away to have it built anew."
            )
        database.executescript(SCHEMA.read_text())
        if version == 0:
            database.execute(
                "INSERT INTO keywords (keywords, rank) VALUES ('automerge', ?)",
                (PARTS_BEFORE_MERGE,),
            )
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @property
    def _database(self) -> sqlite3.Connection:
        """This thread's own connection."""
        connection: sqlite3.Connection | None = getattr(self._threads, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self._path, BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA cache_size = -8000")
            connection.execute(f"PRAGMA wal_autocheckpoint = {PAGES_BEFORE_CHECKPOINT}")
            self._threads.connection = connection
            self._open.append(connection)
        return connection

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        database = self._database
        with self._writing:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")

    def _add_chunks(
        self,
        database: sqlite3.Connection,
        store: int,
        file_row: int,
        file: IndexedFile,
        chunks: Sequence[Chunk],
    ) -> None:
        name = prepared(file.filename, file.language)
        for chunk in chunks:
            row = database.execute(
                "INSERT INTO chunks (file, first_character, last_character, tokens, pages,"
                " text) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    *(file_row, chunk.start, chunk.end, chunk.tokens),
                    *(json.dumps(chunk.pages), chunk.text),
                ),
            ).lastrowid
            database.execute(
                "INSERT INTO keywords (rowid, filename, text, store) VALUES (?, ?, ?, ?)",
                (row, name, prepared(chunk.text, file.language), f"s{store}"),
            )

    def _remove(self, database: sqlite3.Connection, key: FileKey) -> bool:
        found = database.execute(
            f"{_FILE} WHERE stores.store_id = ? AND files.file_id = ?", key
        ).fetchone()
        if found is None:
            return False
        language = found["language"]
        name = prepared(found["filename"], language)
        texts = database.execute("SELECT row, text FROM chunks WHERE file = ?", (found["row"],))
        # An inverted index without its texts must be told what to forget.
        database.executemany(
            "INSERT INTO keywords (keywords, rowid, filename, text, store)"
            " VALUES ('delete', ?, ?, ?, ?)",
            [
                (row, name, prepared(text, language), f"s{found['store']}")
                for row, text in texts.fetchall()
            ],
        )
        for table in ("chunks", "vectors"):
            database.execute(f"DELETE FROM {table} WHERE file = ?", (found["row"],))
        database.execute("DELETE FROM files WHERE row = ?", (found["row"],))
        self._bump(database, key.store_id)
        return True

    def _bump(self, database: sqlite3.Connection, store_id: str) -> None:
        database.execute("UPDATE stores SET version = version + 1 WHERE store_id = ?", (store_id,))

    def _store_row(self, database: sqlite3.Connection, store_id: str) -> int:
        database.execute("INSERT OR IGNORE INTO stores (store_id) VALUES (?)", (store_id,))
        row: int = database.execute(
            "SELECT row FROM stores WHERE store_id = ?", (store_id,)
        ).fetchone()[0]
        return row

    def _file_row(
        self, database: sqlite3.Connection, key: FileKey, fingerprint: str | None = None
    ) -> int | None:
        found = database.execute(
            "SELECT files.row FROM files JOIN stores ON stores.row = files.store"
            " WHERE stores.store_id = ? AND files.file_id = ?"
            " AND files.fingerprint = ifnull(?, files.fingerprint)",
            (*key, fingerprint),
        ).fetchone()
        return found[0] if found else None

    def _store_rows(self, store_ids: Sequence[str]) -> list[int]:
        rows = self._database.execute(
            "SELECT row FROM stores WHERE store_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(store_ids)),),
        )
        return [row[0] for row in rows]

    def _languages(self, stores: Sequence[int]) -> list[str | None]:
        rows = self._database.execute(
            "SELECT DISTINCT language FROM files WHERE store IN (SELECT value FROM json_each(?))",
            (json.dumps(stores),),
        )
        return [row[0] for row in rows]

    def _allowed_files(self, scope: Scope) -> NDArray[np.int64] | None:
        """Rows of the files that the filter lets through; None without a filter."""
        if scope.filter is None:
            return None
        rows = self._database.execute(
            "SELECT files.row, files.attributes FROM files"
            " JOIN stores ON stores.row = files.store"
            " WHERE stores.store_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(scope.store_ids)),),
        )
        passing = [row for row, text in rows if scope.filter.matches(json.loads(text))]
        return np.array(passing, np.int64)

    def _rows_with(self, term: str) -> int:
        """In about how many chunks a term occurs."""
        newest = self._database.execute("SELECT coalesce(max(row), 0) FROM chunks").fetchone()[0]
        is_old = not self._counted_at * 0.9 <= newest <= self._counted_at * 1.1
        if is_old or len(self._counts) > COUNTS_KEPT:
            self._counts, self._counted_at = {}, newest
        counts = self._counts
        if term not in counts:
            found = self._database.execute(
                "SELECT doc FROM keyword_counts WHERE term = ?", (term,)
            ).fetchone()
            if found is None:
                return 0
            counts[term] = found[0]
        return counts[term]

    def _store_vectors(
        self, store_id: str, embedder: str
    ) -> "tuple[list[Segment], NDArray[np.int64]]":
        with self._caching:
            cache = self._caches.setdefault((store_id, embedder), _StoreCache())
            self._caches.move_to_end((store_id, embedder))
            self._refresh(cache, store_id, embedder)
            while len(self._caches) > 1 and self._cached_bytes() > CACHED_BYTES:
                self._caches.popitem(last=False)
            return list(cache.segments), np.array(sorted(cache.dead), np.int64)

    def _cached_bytes(self) -> int:
        return sum(cache.size() for cache in self._caches.values())

    def _refresh(self, cache: "_StoreCache", store_id: str, embedder: str) -> None:
        found = self._database.execute(
            "SELECT version FROM stores WHERE store_id = ?", (store_id,)
        ).fetchone()
        version = found[0] if found else None
        if version == cache.version:
            return
        rows = self._database.execute(
            "SELECT vectors.row FROM vectors JOIN files ON files.row = vectors.file"
            " JOIN stores ON stores.row = files.store"
            " WHERE stores.store_id = ? AND files.embedder = ?",
            (store_id, embedder),
        )
        cache.follow({row[0] for row in rows}, self._blocks)
        cache.version = version

    def _blocks(self, block_ids: Sequence[int]) -> Iterator[FileBlock]:
        for block_id in block_ids:
            row = self._database.execute(
                "SELECT * FROM vectors WHERE row = ?", (block_id,)
            ).fetchone()
            if row is None:
                continue
            chunk_ids = self._database.execute(
                "SELECT row FROM chunks WHERE file = ? ORDER BY row", (row["file"],)
            ).fetchall()
            yield FileBlock(
                block_id,
                row["file"],
                np.array([each[0] for each in chunk_ids], np.int64),
                np.frombuffer(row["windows_of_chunks"], np.int32).reshape(-1, 2),
                np.frombuffer(row["vectors"], np.float16).reshape(-1, row["dimensions"]),
            )


class _StoreCache:
    """One store's vectors in memory, kept in step with the database file by file."""

    def __init__(self) -> None:
        self.version: int | None = -1
        self.segments: list[Segment] = []
        self.dead: set[int] = set()

    def follow(
        self, living: set[int], blocks: Callable[[Sequence[int]], Iterator[FileBlock]]
    ) -> None:
        held = {block for segment in self.segments for block in segment.block_ids}
        self.dead = held - living
        if len(self.dead) * 4 > len(held):
            self.segments, self.dead, held = [], set(), set()
        small = [segment for segment in self.segments if segment.is_small]
        if len(small) > MOST_SMALL_SEGMENTS:
            self.segments = [segment for segment in self.segments if not segment.is_small]
            held = {block for segment in self.segments for block in segment.block_ids}
            self.dead &= held
        self.segments += segments_of(blocks(sorted(living - held)))

    def size(self) -> int:
        return sum(segment.vectors.nbytes for segment in self.segments)


def _file(row: sqlite3.Row) -> IndexedFile:
    return IndexedFile(
        key=FileKey(row["store_id"], row["file_id"]),
        filename=row["filename"],
        fingerprint=row["fingerprint"],
        language=row["language"],
        attributes=json.loads(row["attributes"]),
        embedder=row["embedder"],
        is_embedded=bool(row["is_embedded"]),
        chunk_count=row["chunk_count"],
        usage_bytes=row["text_bytes"] + row["vector_bytes"],
    )


def _chunk(row: sqlite3.Row) -> Chunk:
    return Chunk(
        text=row["text"],
        start=row["first_character"],
        end=row["last_character"],
        tokens=row["tokens"],
        pages=tuple(PageStart(*page) for page in json.loads(row["pages"])),
    )
