from typing import Any

import pytest

from lib.dashboard.file_words import file_words
from lib.dashboard.studio_api import StoreFile


def file(**fields: Any) -> StoreFile:
    whole = {
        "id": "file-1",
        "object": "vector_store.file",
        "created_at": 1,
        "vector_store_id": "vs_1",
        "usage_bytes": 0,
        "filename": "cats.md",
        "bytes": 5,
        **fields,
    }
    return StoreFile.model_validate(whole)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "Searchable; ranking by meaning follows"),
        (0.2, "Searchable; ranking by meaning follows, about 5 s left"),
        (12.4, "Searchable; ranking by meaning follows, about 15 s left"),
        (100, "Searchable; ranking by meaning follows, about 2 min left"),
        (4000, "Searchable; ranking by meaning follows, about 67 min left"),
    ],
)
def test_the_time_left_is_told_roughly_once_it_is_known(seconds: float | None, words: str) -> None:
    progress = {"stage": "embedding", "done": 1, "total": 9, "seconds_left": seconds}

    assert file_words(file(status="completed", progress=progress)) == words


def test_a_file_that_failed_says_why() -> None:
    error = {"code": "invalid_file", "message": "The file is empty."}

    assert file_words(file(status="failed", last_error=error)) == "The file is empty."
