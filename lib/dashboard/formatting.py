"""Times, sizes and counts as people read them."""

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


def sentence(text: str) -> str:
    """The text with a capital at the start and a full stop at the end."""
    text = text.strip()
    if not text:
        return text
    ended = text if text[-1] in ".!?…" else f"{text}."
    return f"{ended[0].upper()}{ended[1:]}"
