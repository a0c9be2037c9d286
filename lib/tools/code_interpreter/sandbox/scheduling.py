"""Puts a box behind the host where processor time is shared out."""

import os
import time
from contextlib import suppress
from pathlib import Path

NICENESS = 10
"""The host, which must answer others and be able to stop a box, goes before all that runs in it."""
_OWN_GROUP = Path("/proc/self/autogroup")
_ATTEMPTS = 50
_PAUSE = 0.1
"""Seconds: the kernel lets ordinary users change a group ten times a second, all users together."""


def begin_group() -> None:
    """Become a session of its own, which weighs less than the host however many processes it has.

    A kernel with autogroups (sched(7)) shares time out among sessions, and niceness counts only
    within one; without them niceness counts among all. The filters refuse setsid, and /proc is
    read-only or out of reach, so that code in the box cannot take it back.
    """
    os.setsid()
    os.nice(NICENESS)
    try:
        _weigh_less()
    except BlockingIOError:
        _leave_to_orphan()


def _weigh_less() -> None:
    """Raises BlockingIOError when others did so just now."""
    if _OWN_GROUP.exists():
        _OWN_GROUP.write_text(str(NICENESS))


def _leave_to_orphan() -> None:
    """Go on trying in a process of the same session, so that nobody waits for it."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    if os.fork() == 0:
        os.setpgid(0, 0)
        os.closerange(0, os.sysconf("SC_OPEN_MAX"))
        _keep_trying()
    os._exit(0)


def _keep_trying() -> None:
    for _attempt in range(_ATTEMPTS):
        time.sleep(_PAUSE)
        with suppress(BlockingIOError):
            _weigh_less()
            return
