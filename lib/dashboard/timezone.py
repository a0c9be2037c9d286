"""The reader's time zone."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st


def reader_timezone() -> tzinfo:
    """The time zone of the reader's browser; UTC when the browser does not say."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def utc_offset() -> int:
    """Seconds by which the reader's clock is ahead of UTC today."""
    offset = datetime.now(reader_timezone()).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
