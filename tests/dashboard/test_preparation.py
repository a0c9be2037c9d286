from lib.dashboard.preparation import (
    broken_sentence,
    is_broken,
    is_preparing,
    progress_share,
    progress_words,
)
from lib.dashboard.studio_api import ModelState


def model(phase: str, done: int | None = None, total: int | None = None) -> ModelState:
    return ModelState(
        kind="embedded", phase=phase, message="no space left", bytes_done=done, bytes_total=total
    )


def test_a_download_tells_how_far_it_is() -> None:
    downloading = model("downloading", 300_000_000, 1_200_000_000)

    assert is_preparing(downloading)
    assert progress_words(downloading) == "Fetching the model: 300 of 1,200 MB"
    assert progress_share(downloading) == 0.25


def test_a_download_of_unknown_size_tells_what_it_does() -> None:
    waiting = model("waiting")

    assert progress_words(waiting) == "Waiting to fetch the model"
    assert progress_share(waiting) == 0


def test_a_ready_model_is_neither_prepared_nor_broken() -> None:
    assert not is_preparing(model("ready"))
    assert not is_broken(model("ready"))


def test_a_broken_model_says_why() -> None:
    assert is_broken(model("failed"))
    assert broken_sentence(model("failed")) == "No space left."
