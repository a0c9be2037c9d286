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
            async for event in subscription.events(_KEEP_ALIVE_AFTER):
                yield _as_bytes(event, with_result_content)
                if event is not None and event.name in PAUSE_EVENTS:
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
        async for event in log.follow(run_id, after, _KEEP_ALIVE_AFTER):
            yield _as_bytes(event, with_result_content)
            if event is not None and event.name in END_EVENTS:
                yield _DONE

    return _response(chunks())


def _response(chunks: AsyncIterator[bytes]) -> StreamingResponse:
    return StreamingResponse(
        chunks,
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


def _as_bytes(event: Event | None, with_result_content: bool) -> bytes:
    if event is None:
        return _KEEP_ALIVE
    data = event.data if with_result_content else _without_result_content(event)
    return f"id: {event.id}\nevent: {event.name}\ndata: {data}\n\n".encode()


def _without_result_content(event: Event) -> str:
    if not event.name.startswith("thread.run.step.") or '"file_search"' not in event.data:
        return event.data
    payload = json.loads(event.data)
    holder = payload.get("delta", payload)
    holder["step_details"] = without_result_content(holder["step_details"])
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
