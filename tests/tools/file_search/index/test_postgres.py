"""What holds of the index in Postgres alone; test_index.py has the rest."""

import random
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from lib.tools.file_search.chunking import Chunk
from lib.tools.file_search.embedding.embedder import Vectors, unit_rows
from lib.tools.file_search.index.postgres import PostgresIndex, PostgresUnusableError
from lib.tools.file_search.index.protocol import (
    FileKey,
    FileVectors,
    Index,
    IndexedFile,
    IndexUnavailableError,
    Match,
    Scope,
)
from lib.tools.file_search.index.sqlite import SqliteIndex
from tests.postgres import PostgresServer, database_name, rows_of

SECRET = "must-never-be-seen"
STORES = ("vs_1", "vs_2")


@pytest.fixture
def postgres_index(postgres_url: str) -> Iterator[PostgresIndex]:
    index = PostgresIndex(postgres_url)
    yield index
    index.close()


def fill(index: Index) -> None:
    """The same 60 files whenever it is called: words as rare as in real text, windows shared."""
    chance = random.Random(6)
    directions = np.random.default_rng(6)
    for number in range(60):
        key = FileKey(STORES[number % 2], f"file_{number}")
        texts = [" ".join(words(chance, chance.randint(20, 120))) for _ in range(5)]
        chunks = [Chunk(text, place, place + 2, 9) for place, text in enumerate(texts)]
        index.add_file(IndexedFile(key, f"{words(chance, 1)[0]} {number}.txt", "print"), chunks)
        vectors = unit_rows(directions.normal(size=(7, 16)).astype(np.float32))
        ranges = np.array([[place, place + 3] for place in range(5)], np.int32)
        index.add_vectors(key, "print", "test", FileVectors(vectors, ranges))
    for number in range(0, 60, 7):
        index.remove_file(FileKey(STORES[number % 2], f"file_{number}"))


def words(chance: random.Random, count: int) -> list[str]:
    """`wordXX`, where a low number comes often."""
    letters = "abcdefghijklmnopqrst"
    numbers = [min(int(chance.paretovariate(0.6)), 399) for _ in range(count)]
    return [f"word{letters[number // 20]}{letters[number % 20]}" for number in numbers]


def direction(seed: int) -> Vectors:
    row = np.random.default_rng(seed).normal(size=(1, 16)).astype(np.float32)
    vector: Vectors = unit_rows(row)[0]
    return vector


def scores(index: Index, matches: Sequence[Match]) -> dict[tuple[str, int], float]:
    stored = index.stored_chunks([match.chunk_id for match in matches])
    return {
        (chunk.file.key.file_id, chunk.chunk.start): match.score
        for chunk, match in zip(stored, matches, strict=True)
    }


def test_scores_equal_those_of_the_index_in_sqlite(
    postgres_index: PostgresIndex, tmp_path: Path
) -> None:
    sqlite_index = SqliteIndex(tmp_path / "search.db")
    indexes = (sqlite_index, postgres_index)
    for index in indexes:
        fill(index)
    chance = random.Random(7)

    for number in range(40):
        scope = Scope(STORES if number % 3 else STORES[:1])
        query = " ".join(words(chance, 5))
        vector = direction(number)
        by_words = [scores(each, each.search_keywords(scope, query, 500)) for each in indexes]
        by_meaning = [
            scores(each, each.search_vectors(scope, "test", vector, 500)) for each in indexes
        ]

        assert by_words[1] == pytest.approx(by_words[0], rel=1e-9)
        assert by_meaning[1] == pytest.approx(by_meaning[0], abs=0.002)
    sqlite_index.close()


def test_the_best_of_many_windows_are_the_best_of_all(postgres_index: PostgresIndex) -> None:
    fill(postgres_index)
    vector = direction(1)

    all_of_them = postgres_index.search_vectors(Scope(STORES), "test", vector, 500)
    best = postgres_index.search_vectors(Scope(STORES), "test", vector, 9)

    assert best == all_of_them[:9]


def test_a_word_as_long_as_a_page_is_no_obstacle(postgres_index: PostgresIndex) -> None:
    key = FileKey("vs_1", "base64")
    text = "signature " + "QWxhZGRpbjpvcGVuIHNlc2FtZQ" * 400

    postgres_index.add_file(IndexedFile(key, "key.txt", "print"), [Chunk(text, 0, len(text), 9)])

    assert len(postgres_index.search_keywords(Scope(["vs_1"]), "signature", 5)) == 1


def test_a_failed_write_changes_nothing(postgres_index: PostgresIndex) -> None:
    key = FileKey("vs_1", "a")
    whole = [Chunk("the first version", 0, 17, 4)]
    postgres_index.add_file(IndexedFile(key, "a.txt", "one"), whole)

    torn = [*whole, Chunk("a zero byte \0 that Postgres refuses", 0, 5, 4)]
    with pytest.raises(Exception, match="0x00"):
        postgres_index.add_file(IndexedFile(key, "a.txt", "two"), torn)

    file = postgres_index.file(key)
    assert file is not None and file.fingerprint == "one"
    assert postgres_index.chunks(key) == whole


def test_a_lost_connection_is_told_in_words_and_made_again(
    postgres: PostgresServer, postgres_url: str, postgres_index: PostgresIndex
) -> None:
    with (
        postgres.away(postgres_url),
        pytest.raises(IndexUnavailableError, match="SEARCH_DATABASE_URL does not answer"),
    ):
        postgres_index.files("vs_1")

    assert postgres_index.files("vs_1") == []


def test_what_missed_changes_is_dropped_and_what_did_not_is_kept(
    postgres_index: PostgresIndex,
) -> None:
    key = FileKey("vs_1", "a")
    generation = postgres_index.claim("me", None)
    postgres_index.add_file(IndexedFile(key, "a.txt", "one"), [Chunk("text", 0, 4, 1)])

    assert postgres_index.claim("me", generation) == generation
    assert postgres_index.file(key) is not None

    assert postgres_index.claim("me", "an older one") != generation
    assert postgres_index.file(key) is None


def test_the_index_of_another_installation_is_left_alone(postgres_index: PostgresIndex) -> None:
    postgres_index.claim("somebody", None)

    with pytest.raises(PostgresUnusableError, match="another DATA_DIR; name a database"):
        postgres_index.claim("me", None)


def refusal(url: str) -> str:
    with pytest.raises(PostgresUnusableError) as caught:
        PostgresIndex(url)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_a_database_that_cannot_be_reached_is_refused_in_words(postgres: PostgresServer) -> None:
    nobody = f"nobody:{SECRET}"

    assert "no server answers" in refusal(f"postgresql://me:{SECRET}@127.0.0.1:1/search")
    assert "no server answers" in refusal(f"postgresql://me:{SECRET}@host.invalid/search")
    assert "no database of that name" in refusal(postgres.url("absent"))
    assert "refuses the user name" in refusal(postgres.url(user=nobody))
    assert "no address" in refusal(f"postgresql://me:{SECRET}@localhost/search?sslmode=perhaps")


def test_a_server_without_encryption_is_refused_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        server = threading.Thread(target=decline_encryption, args=[listening])
        server.start()

        said = refusal(f"postgresql://me:{SECRET}@127.0.0.1:{port}/search?sslmode=require")
        server.join()

    assert "encrypted connection fails" in said


def decline_encryption(listening: socket.socket) -> None:
    """As Postgres does without a certificate."""
    connection, _ = listening.accept()
    with connection:
        connection.recv(8)
        connection.sendall(b"N")


def test_a_database_without_pgvector_is_refused_in_words(
    postgres: PostgresServer, postgres_url: str
) -> None:
    rows_of(
        postgres.url(),
        f"ALTER DATABASE {database_name(postgres_url)} SET extension_control_path = '/nowhere'",
    )

    assert "no pgvector; install the extension" in refusal(postgres_url)


def test_an_old_pgvector_is_refused_in_words(postgres_url: str) -> None:
    # Half precision came with 0.7.
    rows_of(postgres_url, "CREATE EXTENSION vector")
    rows_of(postgres_url, "ALTER TYPE halfvec RENAME TO not_there_yet")

    assert "older than 0.7" in refusal(postgres_url)


def test_a_user_who_may_not_create_tables_is_refused_in_words(
    postgres: PostgresServer, postgres_url: str
) -> None:
    rows_of(postgres_url, "CREATE EXTENSION vector")
    rows_of(postgres.url(), "CREATE USER guest")

    assert "grant CREATE" in refusal(postgres.url(database_name(postgres_url), "guest"))

    rows_of(postgres.url(), "DROP USER guest")


def test_an_encoding_without_all_scripts_is_refused_in_words(postgres: PostgresServer) -> None:
    rows_of(
        postgres.url(),
        "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
    )

    assert "not UTF8" in refusal(postgres.url("latin"))

    rows_of(postgres.url(), "DROP DATABASE latin WITH (FORCE)")


def test_an_index_of_another_version_is_refused_in_words(postgres_url: str) -> None:
    PostgresIndex(postgres_url).close()
    rows_of(postgres_url, "UPDATE file_search_index SET version = 99")

    assert "version 99" in refusal(postgres_url)
