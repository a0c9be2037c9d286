"""Runs as asyncio tasks of this process: the default, for one machine."""

import asyncio
import logging
from contextlib import suppress

from lib.engine.run_loop import RunLoop
from lib.store.database import StorageError

logger = logging.getLogger(__name__)


class InProcessExecutor:
    """Advances each submitted run in a task of its own."""

    def __init__(self, loop: RunLoop) -> None:
        self._loop = loop
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._once_more: set[str] = set()

    def submit(self, run_id: str) -> None:
        """Advance a run; one that is being advanced already is advanced once more after that."""
        if run_id in self._tasks:
            self._once_more.add(run_id)
            return
        task = asyncio.create_task(self._advance(run_id), name=run_id)
        self._tasks[run_id] = task
        task.add_done_callback(lambda _: self._finished(run_id))

    def is_working_on(self, run_id: str) -> bool:
        return run_id in self._tasks

    async def let_go(self, run_id: str) -> None:
        """Stop working on a run and wait until its last words are stored."""
        task = self._tasks.get(run_id)
        if task is None:
            return
        self._once_more.discard(run_id)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.shield(asyncio.gather(task, return_exceptions=True))

    async def close(self) -> None:
        """Let go of every run. They are taken up again when the server next starts."""
        await asyncio.gather(*(self.let_go(run_id) for run_id in list(self._tasks)))

    def _finished(self, run_id: str) -> None:
        del self._tasks[run_id]
        if run_id in self._once_more:
            self._once_more.remove(run_id)
            self.submit(run_id)

    async def _advance(self, run_id: str) -> None:
        try:
            await self._loop.advance(run_id)
        except StorageError as error:
            # The sweeper submits the run again when storage may have recovered.
            logger.warning("Run %s waits for storage: %s", run_id, error)
