"""The embedder on this machine, with its real weights."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lib.tools.file_search.embedding.local import LocalEmbedder
from lib.tools.file_search.embedding.weights import MINILM, fetch_model, is_fetched

# Kept between test runs, since the weights are 91 MB.
MODELS = Path(tempfile.gettempdir()) / "assistants-studio-test-models"


@pytest.fixture
async def embedder() -> AsyncIterator[LocalEmbedder]:
    embedder = LocalEmbedder(fetch_model(MINILM, MODELS, lambda *_: None))
    yield embedder
    embedder.close()


async def test_texts_of_like_meaning_lie_close(embedder: LocalEmbedder) -> None:
    passages = [
        "The cat sleeps on the sofa.",
        "Quarterly revenue grew by nine percent.",
        "The committee postponed its meeting.",
    ]

    vectors = await embedder.embed_passages(passages, lambda _: None)
    query = await embedder.embed_query("Where does the kitten nap?")

    closeness = [float(row @ query) for row in vectors]
    assert closeness[0] == max(closeness)
    assert closeness[0] > 0.4
    assert all(float(row @ row) == pytest.approx(1, abs=0.01) for row in vectors)


async def test_rows_keep_the_order_of_the_texts_and_progress_is_told(
    embedder: LocalEmbedder,
) -> None:
    texts = ["long text " * 100, "short", "", "middle " * 20] * 5
    told: list[int] = []

    together = await embedder.embed_passages(texts, told.append)
    alone = await embedder.embed_query(texts[3])

    assert float(together[3] @ alone) > 0.98
    assert told == sorted(told)
    assert told[-1] == len(texts)


async def test_a_query_and_the_same_passage_meet(embedder: LocalEmbedder) -> None:
    (passage,) = await embedder.embed_passages(["annual report"], lambda _: None)

    assert float(passage @ await embedder.embed_query("annual report")) > 0.99


def test_only_english_is_known(embedder: LocalEmbedder) -> None:
    assert embedder.knows("The library opens at nine.")
    assert not embedder.knows("La biblioteca abre a las nueve de la mañana.")


def test_what_is_fetched_is_not_fetched_again(embedder: LocalEmbedder) -> None:
    told: list[int] = []

    fetch_model(MINILM, MODELS, lambda done, _: told.append(done))

    assert is_fetched(MINILM, MODELS)
    assert told == []
    assert [path.name for path in (MODELS / MINILM.name).glob(".*")] == []
    assert embedder.name == MINILM.name
