"""A child process that ends when its parent does, however the parent ends."""

import ctypes
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Call first in the child: it is killed when the parent dies or closes the child's stdin."""
    _ask_the_kernel()
    threading.Thread(target=_exit_at_end_of_input, name="lifeline", daemon=True).start()


def _ask_the_kernel() -> None:
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _exit_at_end_of_input() -> None:
    # os.read, not sys.stdin: a thread blocked in a buffered read holds a lock that the
    # interpreter wants when it ends.
    while os.read(0, 4096):
        pass
    os._exit(0)
