"""A stop that does not wait for clients who hold streams open."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def when_asked_to_stop(act: Callable[[], None]) -> Iterator[None]:
    """Call `act` on the event loop when the process is asked to end. For the main thread.

    The web server lets open answers end before it ends the application, and a stream may be open
    for as long as a run waits for its caller: streams must be let go as soon as the signal comes.
    """
    loop = asyncio.get_running_loop()

    def act_and_pass_on(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(act)
        handler = previous[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    previous = {number: signal.signal(number, act_and_pass_on) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
