"""The index finds what it holds, within its scope, and forgets what is removed."""

import numpy as np
import pytest

from lib.tools.file_search.chunking import Chunk, PageStart
from lib.tools.file_search.embedding.embedder import unit_rows
from lib.tools.file_search.index import vector_cache
from lib.tools.file_search.index.filters import parse_filter
from lib.tools.file_search.index.protocol import FileKey, FileVectors, Index, IndexedFile, Scope
from lib.tools.file_search.languages import language_of
from tests.tools.file_search.indexes import IndexHome, open_index_at

EMBEDDER = "test"


def add(
    index: Index,
    file_id: str,
    *texts: str,
    store_id: str = "vs_1",
    filename: str = "notes.txt",
    attributes: dict[str, str | float | bool] | None = None,
) -> FileKey:
    key = FileKey(store_id, file_id)
    chunks = [Chunk(text, 0, len(text), 5, (PageStart(0, 1),)) for text in texts]
    language = language_of(" ".join(texts))
    file = IndexedFile(key, filename, "print", attributes or {}, language)
    index.add_file(file, chunks)
    return key


def add_vector(index: Index, key: FileKey, *rows: list[float]) -> None:
    vectors = unit_rows(np.array(rows, np.float32))
    places = np.arange(len(rows), dtype=np.int32)
    index.add_vectors(
        key, "print", EMBEDDER, FileVectors(vectors, np.stack([places, places + 1], axis=1))
    )


def found(index: Index, query: str, *store_ids: str, **given: object) -> list[str]:
    scope = Scope(store_ids or ("vs_1",), given.get("filter"))  # type: ignore[arg-type]
    matches = index.search_keywords(scope, query, 10)
    stored = index.stored_chunks([match.chunk_id for match in matches])
    return [chunk.file.key.file_id for chunk in stored]


def close(index: Index, row: list[float], *store_ids: str, **given: object) -> list[str]:
    scope = Scope(store_ids or ("vs_1",), given.get("filter"))  # type: ignore[arg-type]
    vector = unit_rows(np.array([row], np.float32))[0]
    matches = index.search_vectors(scope, EMBEDDER, vector, 10)
    stored = index.stored_chunks([match.chunk_id for match in matches])
    return [chunk.file.key.file_id for chunk in stored]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("The mitochondria produce energy", "mitochondria"),
        ("Running shoes are discounted", "run shoe"),
        ("委员会批准了年度预算", "年度预算"),
        ("図書館の新しい予算が承認された", "図書館"),
        ("도서관 예산이 승인되었다", "도서관"),
        ("समिति ने पुस्तकालय का बजट स्वीकृत किया", "पुस्तकालय"),
        ("คณะกรรมการอนุมัติงบประมาณ", "งบประมาณ"),
        ("Комитет утвердил бюджеты библиотек на следующий год", "бюджет библиотеки"),
        ("Çocukların kitapları okulun kütüphanesinde duruyor ve herkes okuyor", "kitap"),
        ("El café está cerrado", "cafe"),
    ],
)
def test_words_are_found_in_every_script(index: Index, text: str, query: str) -> None:
    add(index, "wanted", text)
    add(index, "other", "Nothing to do with it at all")

    assert found(index, query) == ["wanted"]


@pytest.mark.parametrize(
    "query",
    ['"', "AND OR NOT", "a* NEAR(b)", "store:s1", "'; DROP TABLE chunks; --", "{}[]()^:-", "", "​"],
)
def test_no_query_breaks_the_search(index: Index, query: str) -> None:
    add(index, "a", "and or not near text")

    assert found(index, query) in ([], ["a"])


def test_the_file_name_counts_more_than_the_text(index: Index) -> None:
    add(index, "text", "the handbook mentions vacation and many other matters")
    add(index, "name", "days off are listed here", filename="vacation.pdf")

    assert found(index, "vacation") == ["name", "text"]


def test_a_store_never_shows_the_files_of_another(index: Index) -> None:
    mine = add(index, "mine", "shared word", store_id="vs_1")
    other = add(index, "other", "shared word", store_id="vs_2")
    add_vector(index, mine, [1.0, 0.0])
    add_vector(index, other, [1.0, 0.0])

    assert found(index, "shared", "vs_1") == ["mine"]
    assert close(index, [1.0, 0.0], "vs_2") == ["other"]
    assert set(found(index, "shared", "vs_1", "vs_2")) == {"mine", "other"}
    assert set(close(index, [1.0, 0.0], "vs_1", "vs_2")) == {"mine", "other"}
    assert found(index, "shared", "vs_unknown") == []


def test_filters_hold_before_the_best_are_chosen(index: Index) -> None:
    for number in range(30):
        key = add(index, f"old_{number}", "budget budget budget", attributes={"year": 2020.0})
        add_vector(index, key, [1.0, 0.0])
    key = add(index, "new", "one budget among other words", attributes={"year": 2024.0})
    add_vector(index, key, [0.1, 1.0])
    recent = parse_filter({"type": "gte", "key": "year", "value": 2024})

    assert found(index, "budget", filter=recent) == ["new"]
    assert close(index, [1.0, 0.0], filter=recent) == ["new"]


def test_changed_attributes_count_at_once(index: Index) -> None:
    key = add(index, "a", "budget", attributes={"year": 2020.0})
    recent = parse_filter({"type": "gte", "key": "year", "value": 2024})

    index.set_attributes(key, {"year": 2024.0})

    assert found(index, "budget", filter=recent) == ["a"]


def test_a_chunk_counts_as_much_as_its_best_window(index: Index) -> None:
    key = add(index, "two", "first chunk", "second chunk")
    vectors = unit_rows(np.array([[1, 0], [0, 1], [0.5, 0.5]], np.float32))
    index.add_vectors(
        key, "print", EMBEDDER, FileVectors(vectors, np.array([[0, 2], [1, 3]], np.int32))
    )

    query = unit_rows(np.array([[1, 0]], np.float32))[0]
    matches = index.search_vectors(Scope(["vs_1"]), EMBEDDER, query, 10)

    stored = index.stored_chunks([match.chunk_id for match in matches])
    assert [chunk.chunk.text for chunk in stored] == ["first chunk", "second chunk"]
    assert matches[0].score == pytest.approx(1.0, abs=0.01)
    assert matches[1].score == pytest.approx(0.7, abs=0.01)


def test_a_removed_file_is_found_no_more_and_leaves_nothing(
    index: Index, index_home: IndexHome
) -> None:
    key = add(index, "gone", "unforgettable", "second")
    add_vector(index, key, [1.0, 0.0], [0.0, 1.0])
    kept = add(index, "kept", "unforgettable too")
    add_vector(index, kept, [0.5, 0.5])
    assert close(index, [1.0, 0.0])[0] == "gone"

    assert index.remove_file(key)
    assert not index.remove_file(key)

    assert found(index, "unforgettable") == ["kept"]
    assert close(index, [1.0, 0.0]) == ["kept"]
    assert index_home.left_over() == {"stores": 1, "files": 1, "chunks": 1, "embedded": 1}


def test_chunks_tell_the_names_of_their_files_as_long_as_they_are_there(index: Index) -> None:
    add(index, "a", "harbour one", "harbour two", filename="first.txt")
    gone = add(index, "b", "harbour three", filename="second.txt")
    ids = [match.chunk_id for match in index.search_keywords(Scope(["vs_1"]), "harbour", 10)]

    before = index.filenames(ids)
    index.remove_file(gone)
    after = index.filenames(ids)

    assert sorted(before.values()) == ["first.txt", "first.txt", "second.txt"]
    assert after == {key: name for key, name in before.items() if name == "first.txt"}
    assert index.filenames([]) == {}


def test_a_removed_store_leaves_nothing(index: Index, index_home: IndexHome) -> None:
    for number in range(3):
        add_vector(index, add(index, f"f{number}", "words here"), [1.0, 0.0])
    assert close(index, [1.0, 0.0])

    index.remove_store("vs_1")

    assert found(index, "words") == []
    assert close(index, [1.0, 0.0]) == []
    assert index_home.left_over() == {"stores": 0, "files": 0, "chunks": 0, "embedded": 0}


def test_adding_a_file_again_replaces_it(index: Index) -> None:
    add(index, "a", "first version")
    add(index, "a", "second edition")

    assert found(index, "first") == []
    assert found(index, "edition") == ["a"]
    assert [file.chunk_count for file in index.files("vs_1")] == [1]


def test_vectors_in_memory_follow_every_change(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_cache, "SEGMENT_WINDOWS", 4)
    expected: set[str] = set()

    for number in range(40):
        add_vector(index, add(index, f"f{number}", "text"), [1.0, number / 100])
        expected.add(f"f{number}")
        if number % 3 == 2:
            index.remove_file(FileKey("vs_1", f"f{number - 1}"))
            expected.discard(f"f{number - 1}")
        scope = Scope(["vs_1"])
        query = unit_rows(np.array([[1.0, 0.0]], np.float32))[0]
        matches = index.search_vectors(scope, EMBEDDER, query, 100)
        stored = index.stored_chunks([match.chunk_id for match in matches])
        assert {chunk.file.key.file_id for chunk in stored} == expected


def test_vectors_of_chunks_that_are_no_more_are_left_out(index: Index) -> None:
    key = add(index, "a", "text")
    vectors = FileVectors(unit_rows(np.array([[1, 0]], np.float32)), np.array([[0, 1]], np.int32))

    index.add_vectors(key, "the print of an older version", EMBEDDER, vectors)

    file = index.file(key)
    assert file is not None
    assert (file.embedder, file.is_embedded) == (None, False)
    assert close(index, [1.0, 0.0]) == []


def test_vectors_of_another_embedder_do_not_count(index: Index) -> None:
    key = add(index, "a", "text")
    add_vector(index, key, [1.0, 0.0])

    index.add_vectors(key, "print", "another", None)

    assert close(index, [1.0, 0.0]) == []
    file = index.file(key)
    assert file is not None
    assert (file.embedder, file.is_embedded) == ("another", False)


def test_a_second_process_sees_what_the_first_wrote(index: Index, index_home: IndexHome) -> None:
    reader = open_index_at(index_home.address)
    assert close(reader, [1.0, 0.0]) == []

    add_vector(index, add(index, "a", "fresh text"), [1.0, 0.0])

    assert found(reader, "fresh") == ["a"]
    assert close(reader, [1.0, 0.0]) == ["a"]
    reader.close()


def test_a_long_query_is_pruned_to_its_rare_words(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.tools.file_search.index.keyword_query.SCORED_ROWS", 5)
    monkeypatch.setattr("lib.tools.file_search.index.keyword_query.ROWS_OF_SECOND_WORD", 10)
    for number in range(20):
        add(index, f"common_{number}", "the report of the year")
    add(index, "rare", "the platypus of the year")

    assert found(index, "what does the report of the year say about the platypus") == ["rare"]
