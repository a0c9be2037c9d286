"""Server-sent events as the hosted API sent them, with `data: [DONE]` at the end."""

from collections.abc import AsyncIterator

from fastapi.responses import StreamingResponse

from lib.engine.events import END_EVENTS, PAUSE_EVENTS, Event, EventLog, Subscription

_KEEP_ALIVE_AFTER = 15.0
"""Seconds of silence after which a comment keeps proxies from closing the stream."""

_DONE = b"event: done\ndata: [DONE]\n\n"
_KEEP_ALIVE = b": keep-alive\n\n"


def live_stream(log: EventLog, run_id: str, subscription: Subscription) -> StreamingResponse:
    """A run's events from the subscription on, until it is over or waits for its caller."""

    async def chunks() -> AsyncIterator[bytes]:
        try:
            async for batch in subscription.batches(_KEEP_ALIVE_AFTER):
                events = _until_pause(batch)
                yield _as_bytes(events)
                if events and events[-1].name in PAUSE_EVENTS:
                    yield _DONE
                    return
        finally:
            log.unsubscribe(run_id, subscription)

    return _response(chunks())


def replayed_stream(log: EventLog, run_id: str, after: int) -> StreamingResponse:
    """All of a run's events after one of them, then live, until the run is over."""

    async def chunks() -> AsyncIterator[bytes]:
        if await log.has_ended(run_id, after):
            yield _DONE
            return
        async for events in log.follow(run_id, after, _KEEP_ALIVE_AFTER):
            yield _as_bytes(events)
            if events and events[-1].name in END_EVENTS:
                yield _DONE

    return _response(chunks())


def _response(chunks: AsyncIterator[bytes]) -> StreamingResponse:
    return StreamingResponse(
        chunks,
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


def _until_pause(batch: list[Event]) -> list[Event]:
    """The events up to the one that ends the stream, where there is one."""
    for at, event in enumerate(batch):
        if event.name in PAUSE_EVENTS:
            return batch[: at + 1]
    return batch


def _as_bytes(events: list[Event]) -> bytes:
    """One piece for all events: each piece on its own has a long way to the socket."""
    if not events:
        return _KEEP_ALIVE
    return "".join(map(_as_text, events)).encode()


def _as_text(event: Event) -> str:
    return f"id: {event.id}\nevent: {event.name}\ndata: {event.data}\n\n"
