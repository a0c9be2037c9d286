"""The index in a Postgres database: BM25 as FTS5 computes it, vectors scored exactly by pgvector.

Needs pgvector 0.7 or newer, the first with vectors of half precision.
"""

import asyncio
import json
import math
import ssl
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np

from lib.tools.file_search.chunking import Chunk, PageStart
from lib.tools.file_search.embedding.embedder import Vectors
from lib.tools.file_search.index.filters import AttributeValue
from lib.tools.file_search.index.keyword_query import TermReader, words_to_score
from lib.tools.file_search.index.postgres_connections import Connection, PostgresConnections
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
from lib.tools.file_search.index.word_counts import CountedWords, count_words
from lib.tools.file_search.index.words import prepared, query_words

SCHEMA = Path(__file__).with_name("postgres.sql")
SCHEMA_VERSION = 1
CHUNKS_AT_ONCE = 200
COUNTS_KEPT = 20_000
# BM25 as FTS5 has it: how soon repetition and how much length weigh, and the least worth of a word.
REPETITION = 1.2
LENGTH = 0.75
LEAST_WORTH = 1e-6
BYTES_OF_NUMBER = 2
_LOCK = 7_165_230_411
"""Any number that is nobody else's: two processes must not make the tables at once."""

_FILE = "SELECT stores.store_id, files.* FROM file_search_files files" + (
    " JOIN file_search_stores stores ON stores.row = files.store"
)
_SEARCH_KEYWORDS = """
    SELECT chunk, sum(worth * hits * (1 + $1::float8)
        / (hits + $1 * (1 - $2::float8 + $2 * length))) AS score
    FROM (
        SELECT chunk, worth, words_of_chunk / $3::float8 AS length,
            in_filename * $4::float8 + in_text * $5::float8 AS hits
        FROM unnest($6::text[], $7::float8[]) AS asked (word, worth)
        JOIN file_search_postings USING (word)
        WHERE store = ANY ($8::int[]) AND ($9::bigint[] IS NULL OR file = ANY ($9))
    ) AS found
    GROUP BY chunk ORDER BY score DESC, chunk LIMIT $10
"""
# A chunk is as good as its best window. Where no chunk has more than n windows, the best n times as
# many windows belong to at least as many chunks as are asked for, and no other chunk is better.
_SEARCH_VECTORS = """
    WITH searched AS MATERIALIZED (
        SELECT row, most_windows FROM file_search_files
        WHERE store IN (SELECT row FROM file_search_stores WHERE store_id = ANY ($2::text[]))
            AND embedder = $3 AND ($4::bigint[] IS NULL OR row = ANY ($4))
    ), best AS (
        SELECT chunks, vector <#> $1::float4[]::halfvec AS negative_product
        FROM file_search_windows JOIN searched ON searched.row = file
        ORDER BY negative_product LIMIT (SELECT $5::bigint * max(most_windows) FROM searched)
    )
    SELECT chunk, -min(negative_product) AS score FROM best, unnest(chunks) AS chunk
    GROUP BY chunk ORDER BY score DESC, chunk LIMIT $5
"""
_SEARCHED = """
    WITH asked AS (SELECT row FROM file_search_stores WHERE store_id = ANY ($1::text[]))
    SELECT array(SELECT row FROM asked) AS stores,
        array(
            SELECT DISTINCT language FROM file_search_files WHERE store IN (SELECT row FROM asked)
        ) AS languages,
        (SELECT coalesce(sum(chunk_count), 0)::bigint FROM file_search_stores) AS chunk_count,
        (SELECT coalesce(sum(word_count), 0)::bigint FROM file_search_stores) AS word_count
"""


class PostgresUnusableError(Exception):
    """The database cannot hold the index. The text says why and what to do, for a sentence that
    begins with the setting's name."""


class PostgresIndex:
    """An `Index` in the database at `url`. Several processes may use it."""

    def __init__(self, url: str) -> None:
        """Raises PostgresUnusableError."""
        try:
            self._database = PostgresConnections(url)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            raise PostgresUnusableError(_why_unreachable(error)) from error
        self._reader = TermReader()
        self._counts: dict[str, int] = {}
        self._counted_at = 0
        try:
            self._database.write(_prepare)
        except BaseException as error:
            self.close()
            if isinstance(error, asyncpg.PostgresError):
                raise PostgresUnusableError(_why_unprepared(error)) from error
            raise

    def claim(self, owner: str, generation: str | None) -> str:
        """Take the index for an installation and return the generation of what it holds.

        What it holds is kept when it is of the generation given, and dropped when it is older: it
        then missed changes. Raises PostgresUnusableError when it is another installation's.
        """
        return self._database.write(partial(_claim, owner=owner, generation=generation))

    def add_file(self, file: IndexedFile, chunks: Sequence[Chunk]) -> None:
        self._database.write(partial(_add_file, file=file, chunks=chunks))

    def add_vectors(
        self, key: FileKey, fingerprint: str, embedder: str, vectors: FileVectors | None
    ) -> None:
        self._database.write(
            partial(
                _add_vectors, key=key, fingerprint=fingerprint, embedder=embedder, vectors=vectors
            )
        )

    def set_attributes(self, key: FileKey, attributes: Mapping[str, AttributeValue]) -> None:
        self._database.read(
            "UPDATE file_search_files SET attributes = $3 WHERE file_id = $2"
            " AND store = (SELECT row FROM file_search_stores WHERE store_id = $1)",
            *key,
            json.dumps(dict(attributes)),
        )

    def remove_file(self, key: FileKey) -> bool:
        return self._database.write(partial(_remove_file, key=key))

    def remove_store(self, store_id: str) -> None:
        # File by file, so that a large store never blocks the writers of others for long.
        for file in self.files(store_id):
            self.remove_file(file.key)
        self._database.write(partial(_remove_empty_store, store_id=store_id))

    def file(self, key: FileKey) -> IndexedFile | None:
        rows = self._database.read(f"{_FILE} WHERE store_id = $1 AND file_id = $2", *key)
        return _file(rows[0]) if rows else None

    def files(self, store_id: str) -> list[IndexedFile]:
        rows = self._database.read(f"{_FILE} WHERE store_id = $1 ORDER BY files.row", store_id)
        return [_file(row) for row in rows]

    def chunks(self, key: FileKey) -> list[Chunk]:
        rows = self._database.read(
            "SELECT chunks.* FROM file_search_chunks chunks"
            " JOIN file_search_files files ON files.row = chunks.file"
            " JOIN file_search_stores stores ON stores.row = files.store"
            " WHERE store_id = $1 AND file_id = $2 ORDER BY chunks.row",
            *key,
        )
        return [_chunk(row) for row in rows]

    def search_keywords(self, scope: Scope, query: str, limit: int) -> list[Match]:
        (searched,) = self._database.read(_SEARCHED, list(scope.store_ids))
        chunk_count, word_count = searched["chunk_count"], searched["word_count"]
        terms = self._reader.terms(query_words(query, searched["languages"]))
        known = self._rows_with(set(terms.values()), chunk_count)
        kept = words_to_score({word: known.get(term, 0) for word, term in terms.items()})
        if not kept or not chunk_count:
            return []
        asked = [terms[word] for word in kept]
        rows = self._database.read(
            _SEARCH_KEYWORDS,
            *(REPETITION, LENGTH, word_count / chunk_count, FILENAME_WEIGHT, TEXT_WEIGHT),
            *(asked, [_worth(known[term], chunk_count) for term in asked]),
            *(searched["stores"], self._allowed_files(scope), limit),
        )
        return [Match(row["chunk"], row["score"]) for row in rows]

    def search_vectors(
        self, scope: Scope, embedder: str, vector: Vectors, limit: int
    ) -> list[Match]:
        rows = self._database.read(
            _SEARCH_VECTORS,
            *(vector.tolist(), list(scope.store_ids), embedder),
            *(self._allowed_files(scope), limit),
        )
        return [Match(row["chunk"], row["score"]) for row in rows]

    def filenames(self, chunk_ids: Sequence[int]) -> dict[int, str]:
        rows = self._database.read(
            "SELECT chunks.row, filename FROM file_search_chunks chunks"
            " JOIN file_search_files files ON files.row = chunks.file"
            " WHERE chunks.row = ANY ($1::bigint[])",
            list(chunk_ids),
        )
        return {row["row"]: row["filename"] for row in rows}

    def stored_chunks(self, chunk_ids: Sequence[int]) -> list[StoredChunk]:
        rows = self._database.read(
            "SELECT store_id, files.*, chunks.row AS chunk_row, first_character, last_character,"
            " tokens, pages, text FROM file_search_chunks chunks"
            " JOIN file_search_files files ON files.row = chunks.file"
            " JOIN file_search_stores stores ON stores.row = files.store"
            " WHERE chunks.row = ANY ($1::bigint[])",
            list(chunk_ids),
        )
        found = {
            row["chunk_row"]: StoredChunk(row["chunk_row"], _file(row), _chunk(row)) for row in rows
        }
        return [found[chunk_id] for chunk_id in chunk_ids if chunk_id in found]

    def close(self) -> None:
        self._database.close()
        self._reader.close()

    def _allowed_files(self, scope: Scope) -> list[int] | None:
        """Rows of the files that the filter lets through; None without a filter."""
        if scope.filter is None:
            return None
        rows = self._database.read(
            "SELECT files.row, attributes FROM file_search_files files"
            " JOIN file_search_stores stores ON stores.row = files.store"
            " WHERE store_id = ANY ($1::text[])",
            list(scope.store_ids),
        )
        return [row["row"] for row in rows if scope.filter.matches(json.loads(row["attributes"]))]

    def _rows_with(self, terms: set[str], chunk_count: int) -> dict[str, int]:
        """In about how many chunks each term occurs; without the terms that occur in none."""
        is_old = not self._counted_at * 0.9 <= chunk_count <= self._counted_at * 1.1
        if is_old or len(self._counts) > COUNTS_KEPT:
            self._counts, self._counted_at = {}, chunk_count
        counts = self._counts
        if unknown := [term for term in terms if term not in counts]:
            rows = self._database.read(
                "SELECT word, count(*) AS rows FROM file_search_postings"
                " WHERE word = ANY ($1::text[]) GROUP BY word",
                unknown,
            )
            counts.update((row["word"], row["rows"]) for row in rows)
        return {term: counts[term] for term in terms if term in counts}


async def _prepare(connection: Connection) -> None:
    await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
    await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    if not await connection.fetchval("SELECT to_regtype('halfvec') IS NOT NULL"):
        raise PostgresUnusableError("its pgvector is older than 0.7; update the extension there")
    if await connection.fetchval("SHOW server_encoding") != "UTF8":
        raise PostgresUnusableError("its encoding is not UTF8; name a database that has it")
    if not await connection.fetchval("SELECT to_regclass('file_search_index') IS NOT NULL"):
        await connection.execute(SCHEMA.read_text())
        await connection.execute(
            "INSERT INTO file_search_index (version) VALUES ($1)", SCHEMA_VERSION
        )
    version = await connection.fetchval("SELECT version FROM file_search_index")
    if version != SCHEMA_VERSION:
        raise PostgresUnusableError(
            f"the index in it has version {version} and this is version {SCHEMA_VERSION}; drop "
            "its tables file_search_* to have the index built anew"
        )


async def _claim(connection: Connection, owner: str, generation: str | None) -> str:
    held = await connection.fetchrow("SELECT owner, generation FROM file_search_index FOR UPDATE")
    if held["owner"] not in (None, owner):
        raise PostgresUnusableError(
            "it holds the search index of another DATA_DIR; name a database for this one alone, "
            "or drop the tables file_search_* there"
        )
    if generation is not None and held["generation"] == generation:
        return generation
    await connection.execute(
        "TRUNCATE file_search_stores, file_search_files, file_search_chunks,"
        " file_search_postings, file_search_windows"
    )
    renewed = uuid.uuid4().hex
    await connection.execute(
        "UPDATE file_search_index SET owner = $1, generation = $2", owner, renewed
    )
    return renewed


async def _add_file(connection: Connection, file: IndexedFile, chunks: Sequence[Chunk]) -> None:
    # Taking hold of the store keeps its totals right: its writers come one after the other.
    store = await connection.fetchval(
        "INSERT INTO file_search_stores (store_id) VALUES ($1)"
        " ON CONFLICT (store_id) DO UPDATE SET store_id = excluded.store_id RETURNING row",
        file.key.store_id,
    )
    await _remove(connection, store, file.key.file_id)
    row = await connection.fetchval(
        "INSERT INTO file_search_files (store, file_id, filename, fingerprint, language,"
        " attributes, chunk_count, word_count, text_bytes)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8) RETURNING row",
        *(store, file.key.file_id, file.filename, file.fingerprint, file.language),
        *(json.dumps(dict(file.attributes)), len(chunks)),
        sum(len(chunk.text.encode()) for chunk in chunks),
    )
    words = 0
    for first in range(0, len(chunks), CHUNKS_AT_ONCE):
        part = chunks[first : first + CHUNKS_AT_ONCE]
        counted = await asyncio.to_thread(_counted, file, part)
        await _add_chunks(connection, store, row, part, counted)
        words += sum(counted.lengths)
    await connection.execute(
        "UPDATE file_search_files SET word_count = $2 WHERE row = $1", row, words
    )
    await _add_to_totals(connection, store, len(chunks), words)


def _counted(file: IndexedFile, chunks: Sequence[Chunk]) -> CountedWords:
    name = prepared(file.filename, file.language)
    return count_words(name, [prepared(chunk.text, file.language) for chunk in chunks])


async def _add_chunks(
    connection: Connection,
    store: int,
    file_row: int,
    chunks: Sequence[Chunk],
    counted: CountedWords,
) -> None:
    numbered = await connection.fetch(
        "SELECT nextval(pg_get_serial_sequence('file_search_chunks', 'row')) AS row"
        " FROM generate_series(1, $1)",
        len(chunks),
    )
    rows = sorted(each["row"] for each in numbered)
    await connection.copy_records_to_table(
        "file_search_chunks",
        columns=("row", "file", "first_character", "last_character", "tokens", "pages", "text"),
        records=(
            (row, file_row, each.start, each.end, each.tokens, json.dumps(each.pages), each.text)
            for row, each in zip(rows, chunks, strict=True)
        ),
    )
    await connection.copy_records_to_table(
        "file_search_postings",
        columns=("chunk", "file", "store", "words_of_chunk", "in_filename", "in_text", "word"),
        records=(
            (
                *(rows[each.place], file_row, store, counted.lengths[each.place]),
                *(each.in_filename, each.in_text, each.word),
            )
            for each in counted.counts
        ),
    )


async def _add_vectors(
    connection: Connection,
    key: FileKey,
    fingerprint: str,
    embedder: str,
    vectors: FileVectors | None,
) -> None:
    file = await connection.fetchval(
        "SELECT files.row FROM file_search_files files"
        " JOIN file_search_stores stores ON stores.row = files.store"
        " WHERE store_id = $1 AND file_id = $2 AND fingerprint = $3 FOR UPDATE OF files",
        *(*key, fingerprint),
    )
    if file is None:
        return
    await connection.execute("DELETE FROM file_search_windows WHERE file = $1", file)
    await connection.execute(
        "UPDATE file_search_files SET embedder = $2, vector_bytes = NULL WHERE row = $1",
        *(file, embedder),
    )
    if vectors is None:
        return
    ranges = vectors.windows_of_chunks
    await connection.execute(
        "UPDATE file_search_files SET vector_bytes = $2, most_windows = $3 WHERE row = $1",
        *(file, vectors.vectors.size * BYTES_OF_NUMBER, int(np.ptp(ranges, axis=1).max(initial=0))),
    )
    chunks = await connection.fetch(
        "SELECT row FROM file_search_chunks WHERE file = $1 ORDER BY row", file
    )
    owners = _chunks_of_windows(vectors, [each["row"] for each in chunks])
    await connection.executemany(
        "INSERT INTO file_search_windows (file, chunks, vector)"
        " VALUES ($1, $2, $3::float4[]::halfvec)",
        [
            (file, rows, vector)
            for rows, vector in zip(owners, vectors.vectors.tolist(), strict=True)
            if rows
        ],
    )


def _chunks_of_windows(vectors: FileVectors, chunk_rows: Sequence[int]) -> list[list[int]]:
    owners: list[list[int]] = [[] for _ in vectors.vectors]
    for row, (first, end) in zip(chunk_rows, vectors.windows_of_chunks.tolist(), strict=True):
        for window in range(first, end):
            owners[window].append(row)
    return owners


async def _remove_file(connection: Connection, key: FileKey) -> bool:
    store = await _take_hold(connection, key.store_id)
    return store is not None and await _remove(connection, store, key.file_id)


async def _remove_empty_store(connection: Connection, store_id: str) -> None:
    store = await _take_hold(connection, store_id)
    await connection.execute(
        "DELETE FROM file_search_stores WHERE row = $1"
        " AND NOT EXISTS (SELECT 1 FROM file_search_files WHERE store = $1)",
        store,
    )


async def _take_hold(connection: Connection, store_id: str) -> int | None:
    """The store's row, which other writers now wait for; None for an unknown store."""
    row: int | None = await connection.fetchval(
        "SELECT row FROM file_search_stores WHERE store_id = $1 FOR UPDATE", store_id
    )
    return row


async def _remove(connection: Connection, store: int, file_id: str) -> bool:
    """Remove a file of a store that this transaction has taken hold of."""
    file = await connection.fetchrow(
        "SELECT row, chunk_count, word_count FROM file_search_files"
        " WHERE store = $1 AND file_id = $2 FOR UPDATE",
        *(store, file_id),
    )
    if file is None:
        return False
    for table in ("postings", "windows", "chunks"):
        await connection.execute(f"DELETE FROM file_search_{table} WHERE file = $1", file["row"])
    await connection.execute("DELETE FROM file_search_files WHERE row = $1", file["row"])
    await _add_to_totals(connection, store, -file["chunk_count"], -file["word_count"])
    return True


async def _add_to_totals(connection: Connection, store: int, chunks: int, words: int) -> None:
    await connection.execute(
        "UPDATE file_search_stores SET chunk_count = chunk_count + $2,"
        " word_count = word_count + $3 WHERE row = $1",
        *(store, chunks, words),
    )


def _worth(rows_with: int, chunk_count: int) -> float:
    """The rarer a word, the more it is worth."""
    rows = min(rows_with, chunk_count)
    return max(math.log((chunk_count - rows + 0.5) / (rows + 0.5)), LEAST_WORTH)


def _file(row: Any) -> IndexedFile:
    return IndexedFile(
        key=FileKey(row["store_id"], row["file_id"]),
        filename=row["filename"],
        fingerprint=row["fingerprint"],
        language=row["language"],
        attributes=json.loads(row["attributes"]),
        embedder=row["embedder"],
        is_embedded=row["vector_bytes"] is not None,
        chunk_count=row["chunk_count"],
        usage_bytes=row["text_bytes"] + (row["vector_bytes"] or 0),
    )


def _chunk(row: Any) -> Chunk:
    return Chunk(
        text=row["text"],
        start=row["first_character"],
        end=row["last_character"],
        tokens=row["tokens"],
        pages=tuple(PageStart(*page) for page in json.loads(row["pages"])),
    )


def _why_unreachable(error: Exception) -> str:
    # Only known causes are told in detail: a text of the driver's may quote the address.
    if isinstance(error, ssl.SSLError) or type(error) is ConnectionError:
        return "the encrypted connection fails; correct sslmode in it or the server's certificate"
    match error:
        case asyncpg.InvalidAuthorizationSpecificationError():
            return "it refuses the user name or the password in it; correct them"
        case asyncpg.InvalidCatalogNameError():
            return "the server has no database of that name; create it there"
        case asyncpg.InterfaceError() | ValueError():
            return "it is no address that Postgres understands; see .env.example"
        case asyncpg.PostgresError():
            return f"the server refuses the connection ({type(error).__name__}); see its log"
    return "no server answers there; start Postgres or correct the host and port"


def _why_unprepared(error: asyncpg.PostgresError) -> str:
    match error:
        case asyncpg.FeatureNotSupportedError() | asyncpg.UndefinedFileError():
            return "its server has no pgvector; install the extension (0.7 or newer) there"
        case asyncpg.InsufficientPrivilegeError():
            return (
                "its user may not create tables or the extension; have an administrator run "
                "CREATE EXTENSION vector and grant CREATE on the schema"
            )
    return f"the tables of the index cannot be made ({type(error).__name__}); see the server's log"
