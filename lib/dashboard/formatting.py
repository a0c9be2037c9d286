"""Times, sizes and counts as people read them."""

import math
from datetime import datetime, tzinfo

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def moment(unix_seconds: int, timezone: tzinfo) -> str:
    """`22 Nov 2026, 14:05` in the reader's own time zone."""
    when = datetime.fromtimestamp(unix_seconds, timezone)
    return f"{when.day} {when:%b %Y, %H:%M}"


def ago(unix_seconds: int, now: float) -> str:
    """How long ago, in the coarsest unit that still says something."""
    seconds = max(0, now - unix_seconds)
    if seconds < MINUTE:
        return "just now"
    if seconds < HOUR:
        return f"{int(seconds // MINUTE)} min ago"
    if seconds < DAY:
        return f"{int(seconds // HOUR)} h ago"
    days = int(seconds // DAY)
    return "yesterday" if days == 1 else f"{days} days ago"


def duration(seconds: float) -> str:
    """`< 1 s`, `12 s`, `2 min 5 s` or `1 h 4 min`."""
    if seconds < 1:
        return "< 1 s"
    if seconds < MINUTE:
        return f"{int(seconds)} s"
    if seconds < HOUR:
        return f"{int(seconds // MINUTE)} min {int(seconds % MINUTE)} s"
    return f"{int(seconds // HOUR)} h {int(seconds % HOUR // MINUTE)} min"


def seconds(milliseconds: float) -> str:
    """`< 0.1 s`, `0.4 s`, `14 s` or `2 min 5 s`: tenths where they still say something."""
    if milliseconds < 100:
        return "< 0.1 s"
    if milliseconds < 10_000:
        return f"{milliseconds / 1000:.1f} s"
    return duration(milliseconds / 1000)


def money(dollars: float) -> str:
    """`$0`, `$0.0031`, `$1.25`: two digits that matter, or cents."""
    if dollars <= 0:
        return "$0"
    if dollars >= 1:
        return f"${dollars:,.2f}"
    return f"${dollars:.{_decimals(dollars)}f}"


def money_in_short(dollars: float) -> str:
    """The same where there is little room: `< $0.001` for less than that."""
    return "< $0.001" if 0 < dollars < 0.001 else money(dollars)


def compact(count: int) -> str:
    """`950`, `12.3k`, `4.1M`."""
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 1_000_000 else f"{count / 1_000_000:.1f}M"


def times(count: int) -> str:
    """`once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def megabytes(done: int, total: int) -> str:
    """`312 of 1,117 MB` from bytes, in millions of bytes as downloads are counted."""
    return f"{done / 1_000_000:,.0f} of {total / 1_000_000:,.0f} MB"


def size(count: int) -> str:
    """`512 bytes`, `3.1 kB` or `1.2 MB`, in thousands as downloads are counted."""
    if count < 1_000:
        return f"{count} bytes" if count != 1 else "1 byte"
    if count < 1_000_000:
        return f"{count / 1_000:.1f} kB"
    return f"{count / 1_000_000:,.1f} MB"


def shortened(text: str, limit: int = 80) -> str:
    """The text in one line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def _decimals(dollars: float) -> int:
    """Digits after the point that show two that matter."""
    return max(2, 1 - math.floor(math.log10(dollars)))


def sentence(text: str) -> str:
    """The text with a capital at the start and a full stop at the end."""
    text = text.strip()
    if not text:
        return text
    ended = text if text[-1] in ".!?…" else f"{text}."
    return f"{ended[0].upper()}{ended[1:]}"
