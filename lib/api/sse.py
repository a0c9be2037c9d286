"""Server-sent events as the hosted API sent them, with `data: [DONE]` at the end."""

import json
from collections.abc import AsyncIterator

from fastapi.responses import StreamingResponse

from lib.engine.events import END_EVENTS, PAUSE_EVENTS, Event, EventLog, Subscription
from lib.store.objects import without_result_content

_KEEP_ALIVE_AFTER = 15.0
"""Seconds of silence after which a comment keeps proxies from closing the stream."""

_DONE = b"event: done\ndata: [DONE]\n\n"
_KEEP_ALIVE = b": keep-alive\n\n"


def live_stream(
    log: EventLog, run_id: str, subscription: Subscription, with_result_content: bool
) -> StreamingResponse:
    """A run's events from the subscription on, until it is over or waits for its caller."""

    async def chunks() -> AsyncIterator[bytes]:
        try:
            async for batch in subscription.batches(_KEEP_ALIVE_AFTER):
                events = _until_pause(batch)
                yield _as_bytes(events, with_result_content)
                if events and events[-1].name in PAUSE_EVENTS:
                    yield _DONE
                    return
        finally:
            log.unsubscribe(run_id, subscription)

    return _response(chunks())


def replayed_stream(
    log: EventLog, run_id: str, after: int, with_result_content: bool
) -> StreamingResponse:
    """All of a run's events after one of them, then live, until the run is over."""

    async def chunks() -> AsyncIterator[bytes]:
        if await log.has_ended(run_id, after):
            yield _DONE
            return
        async for events in log.follow(run_id, after, _KEEP_ALIVE_AFTER):
            yield _as_bytes(events, with_result_content)
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


def _as_bytes(events: list[Event], with_result_content: bool) -> bytes:
    """One piece for all events: each piece on its own has a long way to the socket."""
    if not events:
        return _KEEP_ALIVE
    return "".join(_as_text(event, with_result_content) for event in events).encode()


def _as_text(event: Event, with_result_content: bool) -> str:
    data = event.data if with_result_content else _without_result_content(event)
    return f"id: {event.id}\nevent: {event.name}\ndata: {data}\n\n"


def _without_result_content(event: Event) -> str:
    if not event.name.startswith("thread.run.step.") or '"file_search"' not in event.data:
        return event.data
    payload = json.loads(event.data)
    holder = payload.get("delta", payload)
    holder["step_details"] = without_result_content(holder["step_details"])
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
