"""The filter, installed in a process of its own and asked call by call."""

import json
import subprocess
import sys

import pytest

from lib.tools.code_interpreter.sandbox import linux
from lib.tools.code_interpreter.sandbox.system_calls import NUMBERS

ASK = """
import ctypes, errno, json, os, sys
from lib.tools.code_interpreter.sandbox import linux, seccomp
kind, number, *arguments = json.loads(sys.argv[1])
own = os.getpid()
program = {
    "bubblewrap": seccomp.bubblewrap_filter,
    "landlock": lambda: seccomp.landlock_filter(None),
    "old landlock": lambda: seccomp.landlock_filter(own),
}[kind]()
libc = ctypes.CDLL(None, use_errno=True)
linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
linux.install_seccomp(program)
arguments = [own if value == "own" else value for value in arguments]
result = libc.syscall(ctypes.c_long(number), *arguments)
print(errno.errorcode[ctypes.get_errno()] if result < 0 else "allowed")
"""


def ask(kind: str, number: object, *arguments: object) -> str:
    question = json.dumps([kind, number, *arguments])
    answer = subprocess.run(
        [sys.executable, "-c", ASK, question], capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


@pytest.mark.parametrize(
    ("kind", "call", "answer", "why"),
    [
        ("bubblewrap", ("prctl", 3, 0, 0, 0), "allowed", "asking is harmless"),
        ("bubblewrap", ("socket", 2, 1, 0), "EPERM", "socket"),
        ("bubblewrap", ("clone3", 0, 0), "ENOSYS", "glibc then falls back to clone"),
        ("bubblewrap", (600,), "ENOSYS", "newer than anything judged"),
        ("bubblewrap", (0x40000000 + 39,), "ENOSYS", "x32"),
        ("bubblewrap", ("prctl", 4, 0, 0, 0), "EPERM", "hiding by PR_SET_DUMPABLE"),
        ("bubblewrap", ("kill", "own", 0), "allowed", "signals stay inside the namespace"),
        ("bubblewrap", ("fchmod", -1, 0), "EBADF", "fchmod really happens"),
        ("landlock", ("fchmod", -1, 0), "allowed", "fchmod is only pretended"),
        ("bubblewrap", ("setsid",), "EPERM", "a new session weighs as much as the host"),
        ("landlock", ("setsid",), "EPERM", "setsid would escape the group"),
        ("landlock", ("prlimit64", "own", 7, 0, 0), "EPERM", "prlimit by number"),
        ("landlock", ("prlimit64", 0, 7, 0, 0), "allowed", "its own limits by 0"),
        ("old landlock", ("kill", "own", 0), "allowed", "itself"),
        ("old landlock", ("kill", 1, 0), "EPERM", "somebody else"),
        ("old landlock", ("kill", -1, 0), "EPERM", "everybody"),
        ("old landlock", ("fcntl", 0, 8, 1), "EPERM", "signals by a file's owner"),
    ],
)
def test_calls_are_answered_as_meant(
    kind: str, call: tuple[object, ...], answer: str, why: str
) -> None:
    name, *arguments = call
    number = NUMBERS[name][linux.machine_index()] if isinstance(name, str) else name

    assert ask(kind, number, *arguments) == answer, why
