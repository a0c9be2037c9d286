"""When a run waited, thought, answered and used its tools: from its rows and events."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from lib.engine.events import END_EVENTS
from lib.store.tables import ModelCallRow, StepRow

Kind = Literal["queue", "first_token", "answer", "tool", "person"]

_RUN_WAITS: dict[str, Kind] = {
    "thread.run.queued": "queue",
    "thread.run.requires_action": "person",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """An event of the run, a step or a message; `at_ms` is Unix milliseconds."""

    name: str
    subject_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Span:
    """`kind` says what went on: waiting for a worker, for the model's first word, for the rest of
    its answer, for a tool, or for a person. Times are Unix milliseconds."""

    kind: Kind
    name: str
    step_id: str | None
    started_ms: int
    ended_ms: int


def timeline(
    moments: Sequence[Moment],
    steps: Sequence[StepRow],
    calls: Sequence[ModelCallRow],
    now_ms: int,
) -> list[Span]:
    """All spans in the order in which they began; those that go on end now."""
    spans = [*_waits(moments, now_ms), *_model_calls(calls), *_tools(steps)]
    return sorted(spans, key=lambda span: span.started_ms)


def step_times(moments: Sequence[Moment]) -> dict[str, tuple[int, int | None]]:
    """By step id: when it was created and when it ended, None while it goes on."""
    times: dict[str, tuple[int, int | None]] = {}
    for moment in moments:
        kind, _, what = moment.name.removeprefix("thread.run.").partition(".")
        if kind != "step":
            continue
        started, _ = times.get(moment.subject_id, (moment.at_ms, None))
        has_ended = what in ("completed", "failed", "cancelled", "expired")
        times[moment.subject_id] = (started, moment.at_ms if has_ended else None)
    return times


def _waits(moments: Sequence[Moment], now_ms: int) -> Iterator[Span]:
    own = [moment for moment in moments if moment.name.startswith("thread.run.")]
    own = [moment for moment in own if not moment.name.startswith("thread.run.step.")]
    for index, moment in enumerate(own):
        kind = _RUN_WAITS.get(moment.name)
        if kind is None or moment.name in END_EVENTS:
            continue
        ended_ms = own[index + 1].at_ms if index + 1 < len(own) else now_ms
        yield Span(kind, "", None, moment.at_ms, ended_ms)


def _model_calls(calls: Sequence[ModelCallRow]) -> Iterator[Span]:
    for call in calls:
        name = call.answered_by or call.model
        first_ms = call.first_token_ms or call.ended_ms
        yield Span("first_token", name, call.step_id, call.started_ms, first_ms)
        if call.first_token_ms is not None:
            yield Span("answer", name, call.step_id, first_ms, call.ended_ms)


def _tools(steps: Sequence[StepRow]) -> Iterator[Span]:
    for step in steps:
        for call in step.step_details.get("tool_calls", []):
            told = step.tool_outputs.get(call["id"])
            if told and "started_ms" in told:
                yield Span("tool", call["type"], step.id, told["started_ms"], told["ended_ms"])
