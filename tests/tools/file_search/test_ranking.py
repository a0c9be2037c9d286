"""Two rankings become one, with scores from 0 to 1."""

import pytest

from lib.tools.file_search.chunking import Chunk
from lib.tools.file_search.index.protocol import FileKey, IndexedFile, Match, StoredChunk
from lib.tools.file_search.ranking import (
    Ranked,
    RankingOptions,
    favour_named,
    fuse,
    without_overlaps,
)


def stored(chunk_id: int, file_id: str, start: int, end: int) -> StoredChunk:
    file = IndexedFile(FileKey("vs", file_id), file_id, "print")
    return StoredChunk(chunk_id, file, Chunk("x" * (end - start), start, end, 1))


def test_a_chunk_first_in_both_rankings_scores_one_and_the_rest_less() -> None:
    ranked = fuse([Match(1, 9.0), Match(2, 8.0)], [Match(1, 0.9), Match(3, 0.8)], RankingOptions())

    assert ranked[0].chunk_id == 1
    assert ranked[0].score == 1.0
    assert all(0 < each.score < 1 for each in ranked[1:])
    assert (ranked[0].text_place, ranked[0].vector_place) == (1, 1)


def test_without_a_ranking_by_meaning_keywords_count_in_full() -> None:
    ranked = fuse([Match(7, 3.0)], None, RankingOptions())

    assert ranked[0].score == 1.0
    assert ranked[0].vector_place is None


def test_the_weights_decide_which_ranking_leads() -> None:
    by_text, by_vector = [Match(1, 1.0)], [Match(2, 1.0)]

    text_first = fuse(by_text, by_vector, RankingOptions(text_weight=3, vector_weight=1))
    vector_first = fuse(by_text, by_vector, RankingOptions(text_weight=1, vector_weight=3))

    assert text_first[0].chunk_id == 1
    assert vector_first[0].chunk_id == 2


def test_a_chunk_of_a_named_file_counts_up_to_twice_as_much() -> None:
    ranked = [Ranked(1, 1.0, 1, 1), Ranked(2, 0.6, 2, 2), Ranked(3, 0.2, 3, 3)]

    weighed = favour_named(ranked, {1: 0.0, 2: 1.0, 3: 0.5})

    assert [each.chunk_id for each in weighed] == [2, 1, 3]
    assert [each.score for each in weighed] == pytest.approx([0.6, 0.5, 0.15])


def test_where_no_file_is_named_scores_stay() -> None:
    ranked = [Ranked(1, 1.0, 1, 1), Ranked(2, 0.6, 2, 2)]

    assert favour_named(ranked, {1: 0.0, 2: 0.0}) == ranked


def test_of_overlapping_chunks_the_better_one_stays() -> None:
    chunks = [stored(1, "a", 100, 200), stored(2, "a", 150, 250), stored(3, "b", 150, 250)]

    kept = without_overlaps([*chunks, stored(4, "a", 200, 300)])

    assert [chunk.chunk_id for chunk in kept] == [1, 3, 4]


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_num_results": 0},
        {"max_num_results": 51},
        {"score_threshold": 1.1},
        {"text_weight": -1.0},
        {"text_weight": 0.0, "vector_weight": 0.0},
    ],
)
def test_options_outside_the_limits_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        RankingOptions(**wrong)  # type: ignore[arg-type]
