"""Makes the files of vector stores searchable, in the background, until every one has ended.

The rows are the queue: a file is in_progress until it can be found by keywords or cannot be read.
Vectors follow with low priority. Killed at any point and started again, it goes on from there.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from lib.engine.clock import now
from lib.engine.embedder_source import EmbedderSource
from lib.engine.reading_watch import ReadingWatch
from lib.store import ingestion as queue
from lib.store.blobs import Blobs
from lib.store.database import StorageError, Store
from lib.store.ingestion import Job
from lib.store.tables import IndexRemovalRow
from lib.store.vector_stores import expire_vector_stores
from lib.tools.file_search.chunking import ChunkingStrategy
from lib.tools.file_search.embedding.embedder import Embedder, EmbeddingError
from lib.tools.file_search.index.protocol import FileKey, Index, IndexUnavailableError
from lib.tools.file_search.ingestion import NewFile, ingest_file
from lib.tools.file_search.parsing.document import ParseFailure
from lib.tools.file_search.parsing.parser import Parser

logger = logging.getLogger(__name__)

_WORKERS = 2
"""Files that are read at once; each in a process of its own."""
_LOOK_EVERY = 0.5
"""Seconds between two looks for work that nobody announced."""
_EXPIRE_EVERY = 60.0
_RETRY_AFTER = 60.0
"""Seconds until a file that could not be embedded is tried again; doubled each time."""
_RETRY_AT_LATEST = 3600.0
_WAITS = (StorageError, IndexUnavailableError)
"""What passes by itself, or when somebody sees to it: no fault of the file at hand."""
_INTERNAL = "The server made a mistake on this file; its console says more. Try again."


class Ingestion:
    """One for a process. `start` takes up what was left undone."""

    def __init__(
        self, store: Store, blobs: Blobs, index: Index, embedders: EmbedderSource, is_new: bool
    ) -> None:
        """`is_new` tells that the index holds nothing yet."""
        self.index = index
        self.embedders = embedders
        self._store = store
        self._blobs = blobs
        self._is_new = is_new
        self._work = asyncio.Event()
        self._vector_work = asyncio.Event()
        self._finished = asyncio.Event()
        self._free = asyncio.Semaphore(_WORKERS)
        self._reading: dict[int, tuple[Job, asyncio.Task[None]]] = {}
        self._parser = Parser()
        self.watch = ReadingWatch()
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        if self._is_new:
            await self._store.write(queue.begin_anew)
        for work in (self._read_files, self._embed_files, self._forget):
            self._loops.append(asyncio.create_task(self._for_ever(work)))

    async def close(self) -> None:
        """Let go of every file; the next start goes on."""
        positions = list(self._reading)
        tasks = [*self._loops, *(task for _, task in self._reading.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._store.write(partial(queue.release, positions=positions))
        await self._parser.close()
        await self.embedders.close()
        await asyncio.to_thread(self.index.close)

    def wake(self) -> None:
        """There is new work, so that nobody waits for the next look."""
        self._work.set()

    def begin_anew(self, store_id: str, file_ids: Collection[str]) -> None:
        """These files were put in a store: nobody needs what is being read of them as they were."""
        keys = {(store_id, file_id) for file_id in file_ids}
        self.let_go(lambda job: job.key in keys)
        self.wake()

    def let_go(self, is_unwanted: Callable[[Job], bool]) -> None:
        """Stop reading the files that nobody wants any more."""
        for job, task in self._reading.values():
            if is_unwanted(job):
                task.cancel()

    async def settle(self, store_ids: Collection[str], within: float) -> bool:
        """Wait until no file of these stores is in_progress. False when the time is up."""
        deadline = time.monotonic() + within
        while await self._store.read(partial(queue.count_unfinished, store_ids=store_ids)):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._finished.clear()
            await _wait(self._finished, min(left, 1.0))
        return True

    async def _for_ever(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            try:
                await work()
            except _WAITS as error:
                logger.warning("Knowledge files have to wait: %s", error)
            except Exception:
                logger.exception("Knowledge files have to wait")
            await asyncio.sleep(_LOOK_EVERY)

    async def _read_files(self) -> None:
        """Hand every waiting file to a worker as soon as one is free."""
        while True:
            await self._free.acquire()
            job = None
            try:
                job = await self._next_job()
            finally:
                if job is None:
                    self._free.release()
            task = asyncio.create_task(self._read(job))
            self._reading[job.position] = (job, task)
            task.add_done_callback(partial(self._has_read, job))

    async def _next_job(self) -> Job:
        while True:
            self._work.clear()
            has_work = await self._store.read(queue.has_waiting)
            if has_work and (job := await self._store.write(self._claim)):
                return job
            await _wait(self._work, _LOOK_EVERY)

    def _claim(self, session: Session) -> Job | None:
        return queue.claim(session, [job.key for job, _ in self._reading.values()])

    def _has_read(self, job: Job, _done: "asyncio.Task[None]") -> None:
        del self._reading[job.position]
        self.watch.forget(FileKey(*job.key))
        self._free.release()
        self._finished.set()
        self._vector_work.set()
        # What was put in anew has waited for this.
        self._work.set()

    async def _read(self, job: Job) -> None:
        """Make one file findable by keywords, or note why it cannot be."""
        try:
            await self._copy_twin(job)
            usage_bytes = await self._ingest(None, job)
            attributes = await self._store.write(
                partial(queue.complete, job=job, usage_bytes=usage_bytes)
            )
            if attributes is not None:
                await asyncio.to_thread(self.index.set_attributes, FileKey(*job.key), attributes)
        except ParseFailure as failure:
            await self._fail(job, failure.code, failure.reason)
        except _WAITS as error:
            logger.warning("File %s has to wait: %s", job.file_id, error)
            await asyncio.sleep(_LOOK_EVERY)
            await self._store.write(partial(queue.release, positions=[job.position]))
        except Exception:
            logger.exception("File %s could not be made searchable", job.file_id)
            await self._fail(job, "server_error", _INTERNAL)

    async def _fail(self, job: Job, code: str, message: str) -> None:
        await self._store.write(partial(queue.fail, job=job, code=code, message=message))

    async def _copy_twin(self, job: Job) -> None:
        """What was read before under this name need not be read again."""
        found = await self._store.read(partial(queue.twin, job=job))
        if found is not None:
            await asyncio.to_thread(_copy, self.index, FileKey(*found), FileKey(*job.key))

    async def _ingest(self, embedder: Embedder | None, job: Job) -> int:
        """Returns what the file takes in the index, in bytes."""
        key = FileKey(*job.key)
        new = NewFile(
            key=key,
            path=self._blobs.path(job.sha256),
            filename=job.filename,
            sha256=job.sha256,
            chunking=ChunkingStrategy(**job.chunking),
            attributes=job.attributes,
        )
        report = partial(self.watch.note, key)
        indexed = await ingest_file(self.index, embedder, new, report, self._parser.parse_file)
        return indexed.usage_bytes

    async def _embed_files(self) -> None:
        """Give every file its vectors, one after the other; what fails is tried again later."""
        name = self.embedders.name
        if name is None:
            return
        retry = _Retry()
        while True:
            self._vector_work.clear()
            waiting = retry.waiting()
            job = await self._store.read(
                partial(queue.next_to_embed, embedder=name, waiting=waiting)
            )
            if job is None:
                await _wait(self._vector_work, _LOOK_EVERY)
                continue
            try:
                await self._embed(job, name)
            except (EmbeddingError, ParseFailure) as error:
                logger.warning("File %s is found by keywords alone: %s", job.file_id, error)
                retry.later(job.position)
            except _WAITS:
                raise
            except Exception:
                # One file must not keep the others from having their vectors.
                logger.exception("File %s is found by keywords alone", job.file_id)
                retry.later(job.position)
            finally:
                self.watch.forget(FileKey(*job.key))

    async def _embed(self, job: Job, name: str) -> None:
        embedder = await self.embedders.get()
        # The embedder may have been long in coming.
        if not await self._store.read(partial(queue.is_current, job=job)):
            return
        usage_bytes = await self._ingest(embedder, job)
        await self._store.write(
            partial(queue.note_embedder, job=job, embedder=name, usage_bytes=usage_bytes)
        )

    async def _forget(self) -> None:
        """Take out of the index what was deleted, cancelled or has expired."""
        expired_at = 0.0
        while True:
            if time.monotonic() - expired_at > _EXPIRE_EVERY:
                expired_at = time.monotonic()
                await self._store.write(partial(expire_vector_stores, at=now()))
            removals = await self._store.read(queue.removals)
            for removal in removals:
                await self._forget_one(removal)
            if not removals:
                await asyncio.sleep(_LOOK_EVERY)

    async def _forget_one(self, removal: IndexRemovalRow) -> None:
        store_id, file_id = removal.vector_store_id, removal.file_id
        if not await self._store.read(partial(queue.is_wanted, store_id=store_id, file_id=file_id)):
            if file_id is None:
                await asyncio.to_thread(self.index.remove_store, store_id)
            else:
                await asyncio.to_thread(self.index.remove_file, FileKey(store_id, file_id))
        await self._store.write(partial(queue.removed, position=removal.position))


class _Retry:
    """Which files failed lately, and until when they wait."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}
        self._delays: dict[int, float] = {}

    def later(self, position: int) -> None:
        delay = min(self._delays.get(position, _RETRY_AFTER / 2) * 2, _RETRY_AT_LATEST)
        self._delays[position] = delay
        self._until[position] = time.monotonic() + delay

    def waiting(self) -> list[int]:
        return [position for position, until in self._until.items() if until > time.monotonic()]


def _copy(index: Index, known: FileKey, wanted: FileKey) -> None:
    file = index.file(known)
    if file is None or index.file(wanted) is not None:
        return
    # Vectors are not copied: an embedder deals with each file once and says so.
    index.add_file(replace(file, key=wanted), index.chunks(known))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
