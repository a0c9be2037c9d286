import pytest

from lib.engine import reading_watch
from lib.engine.reading_watch import ReadingWatch
from lib.tools.file_search.index.protocol import FileKey
from lib.tools.file_search.ingestion import Progress

KEY = FileKey("vs_1", "file-1")


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(reading_watch, "time", clock)
    return clock


def test_the_time_left_follows_from_the_pace_so_far(clock: Clock) -> None:
    watch = ReadingWatch()
    watch.note(KEY, Progress("parsing"))
    clock.now += 60
    watch.note(KEY, Progress("embedding", 0, 40))
    clock.now += 5
    watch.note(KEY, Progress("embedding", 10, 40))

    assert watch.progress(KEY) == Progress("embedding", 10, 40)
    assert watch.seconds_left(KEY) == 15
    clock.now += 3
    assert watch.seconds_left(KEY) == 12
    clock.now += 60
    assert watch.seconds_left(KEY) == 0


def test_nothing_is_promised_before_there_is_a_pace(clock: Clock) -> None:
    watch = ReadingWatch()

    unknown = watch.seconds_left(KEY)
    watch.note(KEY, Progress("parsing"))
    parsing = watch.seconds_left(KEY)
    clock.now += 5
    watch.note(KEY, Progress("embedding", 0, 40))
    embedding = watch.seconds_left(KEY)

    assert (unknown, parsing, embedding) == (None, None, None)


def test_a_file_that_is_done_is_forgotten(clock: Clock) -> None:
    watch = ReadingWatch()
    watch.note(KEY, Progress("embedding", 0, 40))
    clock.now += 1
    watch.note(KEY, Progress("embedding", 20, 40))

    watch.forget(KEY)

    assert watch.progress(KEY) is None
    assert watch.seconds_left(KEY) is None
