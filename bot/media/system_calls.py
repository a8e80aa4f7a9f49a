"""The filter for system calls (seccomp) of the processes that touch members' files.

It refuses what a decoder has no use for and an intruder has: connections, programs, other processes, and changes of
files that Landlock does not cover. A filter needs no privilege, so that it holds in containers too.
"""

import errno
import os
import platform
import struct
from typing import Final

_REFUSED: Final = {
    # Name: number on x86-64, number on arm64; from Linux 6.18's unistd_64.h and asm-generic/unistd.h.
    # Connections, to other machines and to other processes.
    "socket": (41, 198),
    "socketpair": (53, 199),
    "io_uring_setup": (425, 425),
    "mq_open": (240, 180),
    "msgget": (68, 186),
    "semget": (64, 190),
    "shmget": (29, 194),
    "shmat": (30, 196),
    # Memory that no limit counts.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    # New programs and processes, which would not be under this one's limit of processor time.
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    # Other processes of the same user.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    # Files: owner, mode, attributes, length.
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "truncate": (76, 45),
    "open_by_handle_at": (304, 265),
    # What others do with their files, which Landlock does not hide.
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    # Keys, and parts of the kernel in which many of its faults were found.
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_setup": (206, 0),
    "syslog": (103, 116),
    "unshare": (272, 97),
    "setns": (308, 268),
}
_CLONE: Final = (56, 220)
_CLONE_THREAD: Final = 0x10000
_CLONE3: Final = (435, 435)
"""Takes its flags in memory, where a filter cannot see them; libraries use clone where this is not there."""
_PRLIMIT64: Final = (302, 261)
_TGKILL: Final = (234, 131)
_FCNTL: Final = (72, 25)
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX = 8, 10, 15
"""Have the kernel send signals to another process when there is something to read."""
_PRCTL: Final = (157, 167)
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4

_ARCHITECTURES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""The column of the numbers above, and the kernel's name of the architecture (linux/audit.h)."""
_X32: Final = 0x40000000
"""The numbers from here on are those of another ABI on x86-64."""

# linux/bpf_common.h and linux/seccomp.h
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000


def filter_program() -> bytes | None:
    """The filter for this process as an array of ``struct sock_filter``; None on an unknown architecture."""
    if platform.machine() not in _ARCHITECTURES:
        return None
    column, architecture = _ARCHITECTURES[platform.machine()]
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        _refuse(errno.EPERM),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        _refuse(errno.EPERM),
        (_EQUAL, 0, 1, _CLONE3[column]),
        _refuse(errno.ENOSYS),
        # Threads, but no processes; its own limits; signals to itself, as abort() sends them.
        *_if_first_argument(_CLONE[column], _ANY_BIT, _CLONE_THREAD),
        *_if_first_argument(_PRLIMIT64[column], _EQUAL, 0),
        *_if_first_argument(_TGKILL[column], _EQUAL, os.getpid()),
        *_unless_argument(_FCNTL[column], _SECOND_ARGUMENT, _F_SETOWN, _F_SETSIG, _F_SETOWN_EX),
        *_unless_argument(_PRCTL[column], _FIRST_ARGUMENT, _PR_SET_PDEATHSIG, _PR_SET_DUMPABLE),
    ]
    for numbers in _REFUSED.values():
        number = numbers[column]
        if number is not None:
            program += [(_EQUAL, 0, 1, number), _refuse(errno.EPERM)]
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


def _refuse(error: int) -> tuple[int, int, int, int]:
    return _RETURN, 0, 0, _REFUSE | error


def _if_first_argument(number: int, test: int, value: int) -> list[tuple[int, int, int, int]]:
    """Allow this system call only if the lower half of its first argument passes the test."""
    return [
        (_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (test, 0, 1, value),
        (_RETURN, 0, 0, _ALLOW),
        _refuse(errno.EPERM),
    ]


def _unless_argument(number: int, argument: int, *values: int) -> list[tuple[int, int, int, int]]:
    """Refuse this system call if the lower half of an argument is one of these values."""
    program = [(_LOAD, 0, 0, argument)]
    for value in values:
        program += [(_EQUAL, 0, 1, value), _refuse(errno.EPERM)]
    program.append((_RETURN, 0, 0, _ALLOW))
    return [(_EQUAL, 0, len(program), number), *program]
