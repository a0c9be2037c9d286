"""EMBEDDED_MODEL means known weights, a path, or a hub name."""

from pathlib import Path

import pytest

from lib.models.embedded.catalogue import (
    QWEN,
    SMOLLM,
    HubFile,
    UnknownWeightsError,
    Weights,
    find_weights,
)


@pytest.mark.parametrize("weights", [QWEN, SMOLLM])
def test_known_names_mean_pinned_weights(weights: Weights) -> None:
    found = find_weights(weights.name)

    assert found == weights
    assert weights.sha256 is not None and len(weights.sha256) == 64


@pytest.mark.parametrize("choice", ["/models/a.gguf", "./a.gguf", "a.gguf", "models/a.gguf"])
def test_paths_mean_files_of_the_user(choice: str) -> None:
    assert find_weights(choice) == Path(choice)


def test_a_hub_name_means_a_file_in_a_repository() -> None:
    found = find_weights("Qwen/Qwen2.5-7B-Instruct-GGUF/qwen2.5-7b-instruct-q4_k_m.gguf")

    assert isinstance(found, Weights)
    assert found.name == "qwen2.5-7b-instruct-q4_k_m"
    assert found.sources == (
        HubFile("Qwen/Qwen2.5-7B-Instruct-GGUF", "qwen2.5-7b-instruct-q4_k_m.gguf"),
    )


@pytest.mark.parametrize("choice", ["gpt-4", "owner/repository", ""])
def test_anything_else_is_refused_with_what_is_possible(choice: str) -> None:
    with pytest.raises(UnknownWeightsError, match=r"EMBEDDED_MODEL .*smollm2-135m"):
        find_weights(choice)
