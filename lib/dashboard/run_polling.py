"""Follow a run from a page: by its events when it can, by asking when the stream breaks.

The page only attaches. It may leave at any moment, and whoever attaches later sees everything
from the first event.
"""

import queue
import socket
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import openai
from openai import OpenAI, Stream
from openai.types.beta import AssistantStreamEvent

from lib.dashboard.run_progress import RunProgress
from lib.dashboard.studio_api import run_events

HEARTBEAT = 0.2
"""Seconds after which the page hears from us even if the run is silent: a click on Stop or on
another page takes effect only when the running script draws something."""
PAUSE_BETWEEN_ATTEMPTS = 1.0
ATTEMPTS_WITHOUT_ANSWER = 15


def follow_run(client: OpenAI, thread_id: str, run_id: str) -> Generator[RunProgress, None, None]:
    """The run's progress again and again, until it rests.

    Raises openai.APIConnectionError when the server stays away, and openai.APIStatusError when it
    refuses (the run or its thread is gone).
    """
    failures = 0
    while True:
        progress = RunProgress()
        try:
            for progress in _attached(client, thread_id, run_id):
                failures = 0
                yield progress
            if progress.rests:
                return
            progress.run = client.beta.threads.runs.retrieve(run_id, thread_id=thread_id)
            yield progress
            if progress.rests:
                return
        except (openai.APIConnectionError, openai.InternalServerError):
            failures += 1
            if failures == ATTEMPTS_WITHOUT_ANSWER:
                raise
        time.sleep(PAUSE_BETWEEN_ATTEMPTS)


def _attached(client: OpenAI, thread_id: str, run_id: str) -> Iterator[RunProgress]:
    """Progress from the first event to the end of one stream, with heartbeats in between."""
    progress = RunProgress()
    reader = _EventReader(run_events(client, thread_id, run_id))
    reader.start()
    try:
        while True:
            received = reader.receive()
            for event in received.events:
                progress.take(event)
            yield progress
            # After a run that waits for function outputs the stream stays open, and a replay may
            # still bring what came after: only silence says that this is where the run is.
            is_silent = not received.events
            if received.is_last or (is_silent and progress.rests):
                return
    finally:
        reader.close()


@dataclass
class _Received:
    events: list[AssistantStreamEvent] = field(default_factory=list)
    is_last: bool = False


class _EventReader:
    """Reads a stream in a thread of its own, so that the page is never stuck in a silent one."""

    def __init__(self, stream: Stream[AssistantStreamEvent]) -> None:
        self._stream = stream
        self._events: queue.SimpleQueue[AssistantStreamEvent | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, name="run-events", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def receive(self) -> _Received:
        """Everything that came since the last call; empty after HEARTBEAT seconds of silence."""
        received = _Received()
        with suppress(queue.Empty):
            event = self._events.get(timeout=HEARTBEAT)
            while event is not None:
                received.events.append(event)
                event = self._events.get_nowait()
            received.is_last = True
        return received

    def close(self) -> None:
        """End the reading, at once even in the middle of a long silence."""
        if not self._thread.is_alive():
            return
        # Closing from here would leave the other thread waiting; a socket shut down wakes it.
        socket_of_stream = self._stream.response.extensions["network_stream"].get_extra_info(
            "socket"
        )
        with suppress(OSError):
            socket_of_stream.shutdown(socket.SHUT_RDWR)

    def _read(self) -> None:
        # A break, a closed stream and a garbled event all mean the same: ask, then attach again.
        with suppress(Exception):
            for event in self._stream:
                self._events.put(event)
        self._events.put(None)
