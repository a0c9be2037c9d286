"""The engine: what the API asks of runs, the workers, and the sweeper that ends what hangs."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from lib.engine import transitions
from lib.engine.clock import now
from lib.engine.errors import RefusedError, RunLostError
from lib.engine.events import EventLog, EventSink
from lib.engine.executors.in_process import InProcessExecutor
from lib.engine.messages import NewMessage, add_message, add_thread, as_message, queue_message
from lib.engine.model_calls import Prices
from lib.engine.run_loop import Models, RunLoop
from lib.engine.runs import NewRun, ToolOutput, active_run, create_run, submit_tool_outputs
from lib.engine.states import CANCELLING, EXPIRED, IN_PROGRESS, QUEUED, states_that_lead_to
from lib.engine.toolbox import BuiltinTools, Functions
from lib.engine.vector_stores import THREAD_STORE_EXPIRES_AFTER, resolve_resources
from lib.settings import Settings
from lib.store.blobs import Blobs
from lib.store.database import StorageError, Store
from lib.store.queries import delete_thread, find
from lib.store.tables import Json, MessageRow, RunRow, ThreadRow

logger = logging.getLogger(__name__)

_SWEEP_EVERY = 1.0
"""Seconds between two looks for runs that are overdue or were dropped."""


class Engine:
    """Everything that changes runs. One for a process; `start` takes up what was left undone."""

    def __init__(
        self,
        store: Store,
        log: EventLog,
        blobs: Blobs,
        models: Models,
        builtin: BuiltinTools,
        functions: Functions,
        prices: Prices,
        settings: Settings,
    ) -> None:
        self.log = log
        self._store = store
        self._builtin = builtin
        self._run_expires_after = settings.run_expires_after
        rounds = settings.max_tool_rounds
        loop = RunLoop(store, log, blobs, models, builtin, functions, prices, rounds)
        self._executor = InProcessExecutor(loop)
        self._background: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        await self._take_up_unfinished()
        self._in_background(self._sweep_for_ever())

    async def close(self) -> None:
        """Let go of followers and runs; nothing is lost, the next start goes on."""
        self.log.close()
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._executor.close()

    async def create_run(self, run_id: str, thread_id: str, new: NewRun) -> RunRow:
        """Queue a run under an id made by the caller, who may follow it from the first event."""
        run = await self.log.write(
            lambda session, events: create_run(
                session, events, run_id, thread_id, new, self._run_expires_after
            )
        )
        self._executor.submit(run.id)
        return run

    async def create_thread_and_run(
        self,
        run_id: str,
        new: NewRun,
        metadata: Json,
        tool_resources: Json,
        messages: list[NewMessage],
    ) -> RunRow:
        def create(session: Session, events: EventSink) -> RunRow:
            resources = resolve_resources(session, tool_resources, THREAD_STORE_EXPIRES_AFTER)
            thread = add_thread(session, metadata, resources, messages)
            session.flush()
            events.thread_created(thread, run_id)
            return create_run(session, events, run_id, thread.id, new, self._run_expires_after)

        run = await self.log.write(create)
        self._executor.submit(run.id)
        return run

    async def submit_tool_outputs(
        self, thread_id: str, run_id: str, outputs: list[ToolOutput]
    ) -> RunRow:
        await self._expire_if_overdue(run_id)
        run = await self.log.write(
            lambda session, events: submit_tool_outputs(session, events, thread_id, run_id, outputs)
        )
        self._executor.submit(run.id)
        return run

    async def cancel_run(self, thread_id: str, run_id: str) -> RunRow:
        """Cancel a run: `cancelling` at once, `cancelled` as soon as its work has ended."""
        run = await self.log.write(
            lambda session, events: transitions.start_cancelling(session, events, thread_id, run_id)
        )
        self._in_background(self._finish_cancelling(run_id))
        return run

    async def add_message(
        self, thread_id: str, new: NewMessage, queue_when_busy: bool = False
    ) -> MessageRow:
        """Add a message to a thread. While a run works on it, queue the message or refuse it.

        Raises RefusedError. A queued message joins the thread when the run has ended.
        """

        def add(session: Session) -> MessageRow:
            thread = find(session, ThreadRow, thread_id)
            active = active_run(session, thread_id)
            if active and queue_when_busy:
                return as_message(queue_message(session, thread_id, new))
            if active:
                raise RefusedError(
                    f"Can't add messages to {thread_id} while a run {active} is active."
                )
            return add_message(session, thread, new)

        return await self._store.write(add)

    async def delete_thread(self, thread_id: str) -> None:
        """Delete a thread with its messages and runs, stopping one that is active."""
        run_ids = await self._store.write(lambda session: delete_thread(session, thread_id))
        for run_id in run_ids:
            await self._executor.let_go(run_id)
            self.log.end_followers(run_id)
        for tool in self._builtin.values():
            await tool.forget(thread_id)

    async def _finish_cancelling(self, run_id: str) -> None:
        await self._executor.let_go(run_id)
        with suppress(RunLostError):
            await self.log.write(
                lambda session, events: transitions.cancel(session, events, run_id)
            )

    async def _expire(self, run_id: str) -> None:
        await self._executor.let_go(run_id)
        with suppress(RunLostError):
            await self.log.write(
                lambda session, events: transitions.expire(session, events, run_id)
            )

    async def _expire_if_overdue(self, run_id: str) -> None:
        if run_id in await self._store.read(_overdue):
            await self._expire(run_id)

    async def _take_up_unfinished(self) -> None:
        for run_id in await self._store.read(lambda session: _in_status(session, CANCELLING)):
            await self._finish_cancelling(run_id)
        for run_id in await self._store.read(_overdue):
            await self._expire(run_id)
        unfinished = await self._store.read(
            lambda session: _in_status(session, QUEUED, IN_PROGRESS)
        )
        for run_id in unfinished:
            if not self._executor.is_working_on(run_id):
                self._executor.submit(run_id)

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_EVERY)
            try:
                await self._take_up_unfinished()
            except StorageError as error:
                logger.warning("The sweep has to wait: %s", error)
            except Exception:
                # One broken run must not keep all others from ever expiring.
                logger.exception("The sweep failed")

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _in_status(session: Session, *statuses: str) -> list[str]:
    query = select(RunRow.id).where(RunRow.status.in_(statuses)).order_by(RunRow.position)
    return list(session.scalars(query))


def _overdue(session: Session) -> list[str]:
    query = select(RunRow.id).where(
        RunRow.status.in_(states_that_lead_to(EXPIRED)), RunRow.expires_at <= now()
    )
    return list(session.scalars(query))
