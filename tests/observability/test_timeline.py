from lib.observability.timeline import Moment, Span, step_times, timeline
from lib.store.tables import ModelCallRow, StepRow


def call(**fields: int | str | None) -> ModelCallRow:
    return ModelCallRow(**{"model": "gpt-4o", "step_id": "step_1", **fields})


def run_moments(*named: tuple[str, int]) -> list[Moment]:
    return [Moment(f"thread.run.{name}", "run_1", at_ms) for name, at_ms in named]


def test_a_run_waits_for_its_turn_and_for_people() -> None:
    moments = run_moments(
        ("created", 0),
        ("queued", 0),
        ("in_progress", 10),
        ("requires_action", 100),
        ("queued", 700),
        ("in_progress", 720),
        ("completed", 800),
    )

    spans = timeline(moments, [], [], now_ms=9_999)

    assert [(span.kind, span.started_ms, span.ended_ms) for span in spans] == [
        ("queue", 0, 10),
        ("person", 100, 700),
        ("queue", 700, 720),
    ]


def test_a_wait_that_goes_on_ends_now() -> None:
    moments = run_moments(("queued", 0), ("in_progress", 5), ("requires_action", 20))

    assert timeline(moments, [], [], now_ms=50)[-1] == Span("person", "", None, 20, 50)


def test_a_model_call_reads_then_writes() -> None:
    calls = [call(started_ms=10, first_token_ms=30, ended_ms=90)]

    assert timeline([], [], calls, now_ms=0) == [
        Span("first_token", "gpt-4o", "step_1", 10, 30),
        Span("answer", "gpt-4o", "step_1", 30, 90),
    ]


def test_a_model_call_that_failed_before_its_first_token_never_wrote() -> None:
    calls = [call(started_ms=10, first_token_ms=None, ended_ms=90)]

    assert [span.kind for span in timeline([], [], calls, now_ms=0)] == ["first_token"]


def test_the_tools_that_ran_here_have_their_times() -> None:
    step = StepRow(
        id="step_1",
        step_details={"tool_calls": [{"id": "call_1", "type": "code_interpreter"}]},
        tool_outputs={"call_1": {"started_ms": 5, "ended_ms": 25}},
    )

    assert timeline([], [step], [], now_ms=0) == [Span("tool", "code_interpreter", "step_1", 5, 25)]


def test_steps_begin_and_end_with_their_events() -> None:
    moments = [
        Moment("thread.run.step.created", "step_1", 5),
        Moment("thread.run.step.in_progress", "step_1", 6),
        Moment("thread.run.step.completed", "step_1", 50),
        Moment("thread.run.step.created", "step_2", 60),
    ]

    assert step_times(moments) == {"step_1": (5, 50), "step_2": (60, None)}
