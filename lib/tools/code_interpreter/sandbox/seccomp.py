"""The system call filter, as a classic BPF program for the kernel's seccomp.

Built here and not by libseccomp: its only maintained-looking binding on the package index had
its last release in 2021, and distributions ship versions that miss the newest calls.
"""

import errno
import struct

from lib.tools.code_interpreter.sandbox.linux import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    machine_index,
)
from lib.tools.code_interpreter.sandbox.system_calls import NEWEST, NUMBERS

_DENIED = """
    ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd bpf perf_event_open userfaultfd
    io_uring_setup io_uring_enter io_uring_register add_key request_key keyctl mount umount2
    pivot_root chroot unshare setns open_tree open_tree_attr move_mount fsopen fsconfig fsmount
    fspick mount_setattr statmount listmount listns file_setattr open_by_handle_at
    name_to_handle_at init_module finit_module delete_module kexec_load kexec_file_load reboot
    swapon swapoff acct settimeofday clock_settime clock_adjtime adjtimex sethostname
    setdomainname iopl ioperm personality quotactl quotactl_fd syslog memfd_create memfd_secret
    shmget shmat shmctl semget semop semctl semtimedop msgget msgsnd msgrcv msgctl mq_open
    mq_unlink vhangup modify_ldt move_pages migrate_pages mbind set_mempolicy
    set_mempolicy_home_node process_madvise process_mrelease fanotify_init fanotify_mark
    lookup_dcookie uselib ustat sysfs nfsservctl vmsplice mknod mknodat lsm_set_self_attr socket
    sendmsg sendmmsg setsid
"""
"""Refused in every box."""

_DENIED_WITHOUT_NAMESPACES = """
    setpgid sched_setscheduler sched_setparam sched_setattr setpriority ioprio_set
    inotify_init inotify_init1 inotify_add_watch pidfd_open pidfd_send_signal rt_sigqueueinfo
    rt_tgsigqueueinfo
"""

_PRETENDED_WITHOUT_NAMESPACES = """
    chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes utimensat futimesat
    setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat
"""
"""Landlock does not cover these: they answer success and do nothing, so that copying works."""

_AUDIT_ARCH = (0xC000003E, 0xC00000B7)

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_DENY = _ERRNO | errno.EPERM
_MISSING = _ERRNO | errno.ENOSYS
_PRETEND = _ERRNO
"""The call is not made and reports success."""

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_ABOVE = 0x25  # BPF_JMP | BPF_JGT | BPF_K
_RETURN = 0x06

_CALL, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

_NEW_NAMESPACES = (
    CLONE_NEWNS
    | CLONE_NEWCGROUP
    | CLONE_NEWUTS
    | CLONE_NEWIPC
    | CLONE_NEWUSER
    | CLONE_NEWPID
    | CLONE_NEWNET
)
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_FIOSETOWN, _SIOCSPGRP = 0x8901, 0x8902
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX = 8, 10, 15
_PR_SET_DUMPABLE = 4
_SOCK_TYPE_MASK, _SOCK_STREAM = 0xF, 1
_EVERY_BIT = 0xFFFFFFFF

Program = list[bytes]


def bubblewrap_filter() -> bytes:
    """For a process in its own namespaces, where its own files and processes are all it sees."""
    return b"".join([*_prologue(), *_common(), _op(_RETURN, _ALLOW)])


def landlock_filter(own_pid: int | None) -> bytes:
    """For a process that shares the host's namespaces.

    With `own_pid` it may signal nobody but itself: needed where Landlock cannot scope signals.
    """
    program = [*_prologue(), *_common(), *_always(_DENIED_WITHOUT_NAMESPACES, _DENY)]
    program += _always(_PRETENDED_WITHOUT_NAMESPACES, _PRETEND)
    for name in ("prlimit64", "sched_setaffinity"):
        program += _unless(name, 0, _EVERY_BIT, [0], _DENY)
    if own_pid is not None:
        program += _always("tkill", _DENY)
        # A file can be told to send any signal to any process when it becomes ready.
        program += _when("fcntl", 1, _EVERY_BIT, [_F_SETOWN, _F_SETSIG, _F_SETOWN_EX], _DENY)
        for name in ("kill", "tgkill"):
            program += _unless(name, 0, _EVERY_BIT, [own_pid], _DENY)
    return b"".join([*program, _op(_RETURN, _ALLOW)])


def _prologue() -> Program:
    """Calls of another architecture or newer than this file do not exist; x32 counts as newer."""
    return [
        _op(_LOAD, _ARCHITECTURE),
        _op(_IF_EQUAL, _AUDIT_ARCH[machine_index()], 1, 0),
        _op(_RETURN, _MISSING),
        _op(_LOAD, _CALL),
        _op(_IF_ABOVE, NEWEST, 0, 1),
        _op(_RETURN, _MISSING),
    ]


def _common() -> Program:
    # glibc falls back to clone, whose flags can be judged, when clone3 does not exist.
    program = [*_always(_DENIED, _DENY), *_always("clone3", _MISSING)]
    program += _when_any_bit("clone", 0, _NEW_NAMESPACES)
    program += _when("ioctl", 1, _EVERY_BIT, [_TIOCSTI, _TIOCLINUX, _FIOSETOWN, _SIOCSPGRP], _DENY)
    # A process that hides its memory and files could not be held to its limits.
    program += _when("prctl", 0, _EVERY_BIT, [_PR_SET_DUMPABLE], _DENY)
    program += _unless("socketpair", 1, _SOCK_TYPE_MASK, [_SOCK_STREAM], _DENY)
    return program


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value & _EVERY_BIT)


def _number(name: str) -> int | None:
    return NUMBERS[name][machine_index()]


def _always(names: str, verdict: int) -> Program:
    program: Program = []
    for name in names.split():
        program += _judge(name, [_op(_RETURN, verdict)])
    return program


def _when(name: str, argument: int, mask: int, values: list[int], verdict: int) -> Program:
    body = _load_argument(argument, mask)
    for value in values:
        body += [_op(_IF_EQUAL, value, 0, 1), _op(_RETURN, verdict)]
    return _judge(name, [*body, _op(_RETURN, _ALLOW)])


def _unless(name: str, argument: int, mask: int, values: list[int], verdict: int) -> Program:
    body = _load_argument(argument, mask)
    for value in values:
        body += [_op(_IF_EQUAL, value, 0, 1), _op(_RETURN, _ALLOW)]
    return _judge(name, [*body, _op(_RETURN, verdict)])


def _when_any_bit(name: str, argument: int, bits: int) -> Program:
    body = _load_argument(argument, bits)
    body += [_op(_IF_EQUAL, 0, 1, 0), _op(_RETURN, _DENY), _op(_RETURN, _ALLOW)]
    return _judge(name, body)


def _load_argument(argument: int, mask: int) -> Program:
    """The low half of an argument: all that the kernel looks at in the calls judged here."""
    return [_op(_LOAD, _ARGUMENTS + 8 * argument), _op(_AND, mask)]


def _judge(name: str, body: Program) -> Program:
    """Run `body`, which returns, when the call is `name`; else go on with the call's number."""
    number = _number(name)
    if number is None:
        return []
    return [_op(_IF_EQUAL, number, 0, len(body)), *body]
