"""The embedder that runs on this machine."""

import asyncio
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from lib.tools.file_search.embedding.embedder import (
    EmbeddedSoFar,
    EmbeddingError,
    Vectors,
    unit_rows,
)
from lib.tools.file_search.embedding.weights import GRAPH, MINILM, TOKENIZER
from lib.tools.file_search.languages import may_be_english

LONGEST_TEXT = 256
# Larger batches leave the processor's cache and are slower, and a waiting query waits longer.
BATCH_TOKENS = 1024
BACKGROUND_PRIORITY = 10


class LocalEmbedder:
    """all-MiniLM-L6-v2 in int8 on onnxruntime. English alone.

    Passages are embedded one batch after another in a thread of low priority, so that neither
    the event loop nor a query waits for a long document.
    """

    name = MINILM.name

    def __init__(self, folder: Path) -> None:
        """`folder` is what `weights.fetch_model` returned."""
        self._folder = folder
        self._background = ThreadPoolExecutor(1, "embedding", initializer=_lower_priority)
        self._loading = threading.Lock()

    def knows(self, text: str) -> bool:
        return may_be_english(text)

    async def embed_passages(self, texts: Sequence[str], embedded: EmbeddedSoFar) -> Vectors:
        loop = asyncio.get_running_loop()
        batches = await loop.run_in_executor(self._background, self._batches, texts)
        rows = np.zeros((len(texts), self._size), np.float16)
        done = 0
        for places, encodings in batches:
            rows[places] = await loop.run_in_executor(self._background, self._embed, encodings)
            done += len(places)
            embedded(done)
        return rows

    async def embed_query(self, text: str) -> Vectors:
        return await asyncio.to_thread(self._embed_one, text)

    def close(self) -> None:
        self._background.shutdown(wait=False, cancel_futures=True)

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        try:
            return onnxruntime.InferenceSession(
                self._folder / GRAPH, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise EmbeddingError("The embedding model's file cannot be loaded.") from error

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_file(str(self._folder / TOKENIZER))
        tokenizer.no_padding()
        tokenizer.enable_truncation(LONGEST_TEXT)
        return tokenizer

    @cached_property
    def _size(self) -> int:
        size: int = self._embed_one("").shape[0]
        return size

    def _embed_one(self, text: str) -> Vectors:
        with self._loading:
            encodings = self._tokenizer.encode_batch([text])
            assert self._session
        vector: Vectors = self._embed(encodings)[0]
        return vector

    def _batches(self, texts: Sequence[str]) -> list[tuple[list[int], list[Encoding]]]:
        """Texts of like length together, so that little of a batch is padding."""
        assert self._size
        encodings = self._tokenizer.encode_batch(list(texts))
        batches: list[tuple[list[int], list[Encoding]]] = []
        for place in sorted(range(len(texts)), key=lambda place: len(encodings[place].ids)):
            tokens = len(encodings[place].ids)
            if not batches or (len(batches[-1][0]) + 1) * tokens > BATCH_TOKENS:
                batches.append(([], []))
            batches[-1][0].append(place)
            batches[-1][1].append(encodings[place])
        return batches

    def _embed(self, encodings: list[Encoding]) -> Vectors:
        longest = max(len(encoding.ids) for encoding in encodings)
        ids = np.zeros((len(encodings), longest), np.int64)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "positions": np.arange(longest)}
        (hidden,) = self._session.run(["hidden"], inputs)
        return unit_rows(_mean(hidden, mask))


def _mean(hidden: NDArray[np.float32], mask: NDArray[np.int64]) -> NDArray[np.float32]:
    weights = mask[:, :, None].astype(np.float32)
    mean: NDArray[np.float32] = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
    return mean


def _lower_priority() -> None:
    # On Linux a priority belongs to the thread, so the rest of the app keeps its own.
    if os.uname().sysname == "Linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BACKGROUND_PRIORITY)
