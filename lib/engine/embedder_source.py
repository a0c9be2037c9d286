"""Where the embedder comes from: fetched when the first file needs it, never before."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from openai import AsyncOpenAI

from lib.settings import Settings
from lib.tools.file_search.embedding.embedder import Embedder, EmbeddingError
from lib.tools.file_search.embedding.endpoint import EndpointEmbedder

if TYPE_CHECKING:
    from lib.tools.file_search.embedding.local import LocalEmbedder

Phase = Literal["off", "waiting", "downloading", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class EmbedderState:
    """Where the embedder stands, with one sentence for people. Sizes in bytes."""

    phase: Phase
    message: str
    bytes_done: int | None = None
    bytes_total: int | None = None


class EmbedderSource(Protocol):
    """`name` is the embedder's own, known before it can be used; None where there is none."""

    @property
    def name(self) -> str | None: ...

    @property
    def state(self) -> EmbedderState: ...

    async def current(self) -> Embedder | None:
        """The embedder, where it can be used without fetching anything."""
        ...

    async def get(self) -> Embedder:
        """The embedder, fetched where needed. Raises EmbeddingError."""
        ...

    async def close(self) -> None: ...


class NoEmbedderSource:
    """Search by keywords alone."""

    name: str | None = None
    state = EmbedderState("off", "Search is by keywords alone: EMBEDDER is off.")

    async def current(self) -> Embedder | None:
        return None

    async def get(self) -> Embedder:
        raise AssertionError("there is no embedder to get")

    async def close(self) -> None:
        return


class EndpointEmbedderSource:
    """A model behind an endpoint's `/embeddings`."""

    def __init__(self, base_url: str, model: str, key: str | None) -> None:
        self._client = AsyncOpenAI(base_url=base_url, api_key=key or "none", max_retries=2)
        self._embedder = EndpointEmbedder(model, self._client)
        self.name: str | None = self._embedder.name
        self.state = EmbedderState("ready", f"Texts are embedded by {model} at {base_url}.")

    async def current(self) -> Embedder | None:
        return self._embedder

    async def get(self) -> Embedder:
        return self._embedder

    async def close(self) -> None:
        await self._client.close()


class LocalEmbedderSource:
    """all-MiniLM-L6-v2 on this machine. Its weights, 91 MB, are fetched once."""

    name: str | None = "all-MiniLM-L6-v2"

    def __init__(self, models_dir: Path) -> None:
        self._models_dir = models_dir
        self._embedder: LocalEmbedder | None = None
        self._opening = asyncio.Lock()
        self.state = EmbedderState(
            "waiting", "The embedding model (91 MB) is fetched when the first file needs it."
        )

    async def current(self) -> Embedder | None:
        if self._embedder is None and await asyncio.to_thread(_is_fetched, self._models_dir):
            return await self.get()
        return self._embedder

    async def get(self) -> Embedder:
        async with self._opening:
            if self._embedder is None:
                self._embedder = await self._open()
        return self._embedder

    async def close(self) -> None:
        if self._embedder is not None:
            self._embedder.close()

    async def _open(self) -> "LocalEmbedder":
        loop = asyncio.get_running_loop()

        def fetched(done: int, total: int) -> None:
            loop.call_soon_threadsafe(self._tell, done, total)

        try:
            embedder = await asyncio.to_thread(_open, self._models_dir, fetched)
        except EmbeddingError as error:
            self.state = EmbedderState("failed", f"{error} Search is by keywords until then.")
            raise
        self.state = EmbedderState("ready", f"{self.name} embeds texts on this machine.")
        return embedder

    def _tell(self, done: int, total: int) -> None:
        if self.state.phase != "ready":
            words = "The embedding model is being fetched."
            self.state = EmbedderState("downloading", words, done, total)


def embedder_source(settings: Settings) -> EmbedderSource:
    """The embedder that the settings ask for."""
    if settings.embedder == "off":
        return NoEmbedderSource()
    if settings.embedder == "endpoint":
        assert settings.embedding_base_url and settings.embedding_model
        return EndpointEmbedderSource(
            settings.embedding_base_url, settings.embedding_model, settings.embedding_api_key
        )
    return LocalEmbedderSource(settings.data_dir.resolve() / "models")


# Loading the runtime takes 50 MB and half a second, which a server without files need not spend.
def _is_fetched(models_dir: Path) -> bool:
    from lib.tools.file_search.embedding.weights import MINILM, is_fetched

    return is_fetched(MINILM, models_dir)


def _open(models_dir: Path, fetched: Callable[[int, int], None]) -> "LocalEmbedder":
    from lib.tools.file_search.embedding.local import LocalEmbedder
    from lib.tools.file_search.embedding.weights import MINILM, fetch_model

    return LocalEmbedder(fetch_model(MINILM, models_dir, fetched))
