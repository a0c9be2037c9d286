from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from lib.dashboard.formatting import (
    ago,
    duration,
    megabytes,
    moment,
    money_in_short,
    sentence,
    shortened,
    size,
)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "< 1 s"), (12.9, "12 s"), (125, "2 min 5 s"), (3_840, "1 h 4 min")],
)
def test_durations_read_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds_ago", "words"),
    [
        (-5, "just now"),
        (30, "just now"),
        (120, "2 min ago"),
        (7_200, "2 h ago"),
        (100_000, "yesterday"),
        (300_000, "3 days ago"),
    ],
)
def test_times_past_are_told_in_one_unit(seconds_ago: int, words: str) -> None:
    assert ago(1_000_000, 1_000_000 + seconds_ago) == words


def test_moments_are_in_the_readers_own_time_zone() -> None:
    assert moment(0, UTC) == "1 Jan 1970, 00:00"
    assert moment(0, ZoneInfo("Europe/Berlin")) == "1 Jan 1970, 01:00"


def test_downloads_are_counted_in_millions_of_bytes() -> None:
    assert megabytes(312_000_000, 1_117_320_768) == "312 of 1,117 MB"


def test_long_texts_become_one_short_line() -> None:
    assert shortened("one\n two   three", 80) == "one two three"
    assert shortened("x" * 100, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("text", "told"),
    [("the run failed", "The run failed."), ("Why?", "Why?"), ("", ""), (" a ", "A.")],
)
def test_sentences_begin_and_end_as_sentences(text: str, told: str) -> None:
    assert sentence(text) == told


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (3_100, "3.1 kB"), (2_500_000, "2.5 MB")],
)
def test_sizes_read_as_downloads_say_them(count: int, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(
    ("dollars", "words"),
    [(0, "$0"), (0.0000048, "< $0.001"), (0.0031, "$0.0031"), (1234.5, "$1,234.50")],
)
def test_a_tiny_cost_is_short_where_there_is_little_room(dollars: float, words: str) -> None:
    assert money_in_short(dollars) == words
