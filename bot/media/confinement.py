"""Takes from a process all that it does not need: a decoder that a hostile file has taken over finds nothing there.

Nothing here needs privileges. What each part holds, and what is left, stands in
``docs/decisions/0009-what-the-sandbox-holds.md``.
"""

import ctypes
import math
import os
import signal
import struct
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from bot.media.system_calls import filter_program

if sys.platform != "win32":
    import resource
else:
    resource = None

_ROOT: Final = Path(__file__).parents[2]

_MEMORY_LIMIT: Final = 1 << 30
"""Bytes of address space; four to five times the memory that any accepted image was measured to need."""
_FILE_LIMIT: Final = 128_000_000
"""Bytes of a file that it writes; the largest image, as an incompressible PNG, takes 70 MB before it is reduced."""
_OPEN_FILES_LIMIT: Final = 64

# linux/prctl.h
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SIGKILL, _SECCOMP_MODE_FILTER = 9, 2
# linux/capability.h
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1 << 1, 1 << 2

# linux/landlock.h; the numbers of the system calls are the same on all architectures.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION, _RULE_PATH_BENEATH = 1, 1
_WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 14
_FILE_SYSTEM_RIGHTS: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""All rights that are refused unless a rule grants them, by the version that brought the newest."""
_TCP_RIGHTS: Final = {4: 0b11}
_SCOPES: Final = {6: 0b11}
"""Abstract sockets of, and signals to, processes outside."""

PARTS: Final = ("limits", "files", "system-calls")
"""The parts of the confinement, by which :func:`confine` names those that the system does not offer."""


def confine(*, processor_seconds: float, readable: Iterable[Path] = (), writable: Iterable[Path] = ()) -> list[str]:
    """Confine this process, which has one thread, for good. Returns the parts that the system does not offer.

    It may read the libraries that it is made of and ``readable``, and read and change ``writable``, all of which are
    files or folders that exist; it is killed after so many seconds of processor time.
    """
    os.environ.clear()
    parts: tuple[Callable[[], None], ...] = (
        lambda: _limit(processor_seconds),
        lambda: _restrict_files([*_libraries(), *readable], list(writable)),
        _filter_system_calls,
    )
    if sys.platform == "linux":
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _prctl(_PR_SET_PDEATHSIG, _SIGKILL)
        _prctl(_PR_SET_DUMPABLE, 0)
        _drop_capabilities()
    refused: list[str] = []
    for name, part in zip(PARTS, parts, strict=True):
        try:
            part()
        except OSError:
            refused.append(name)
    return refused


def hide_memory() -> None:
    """Keep this process's memory and environment from other processes of the same user, and out of core dumps.

    Only Linux can; root may look all the same.
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_DUMPABLE, 0)


def _libraries() -> list[Path]:
    """Where Python, our own code and all shared libraries are; not the project's folder, with its data and secrets."""
    # Installed as a package, our own code is beside the libraries.
    folders = [Path(entry) for entry in sys.path if entry and (Path(entry) != _ROOT or _ROOT.name == "site-packages")]
    system = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/nix/store")
    return [_ROOT / "bot", Path(sys.base_prefix) / "lib", *folders, *map(Path, system)]


def _limit(processor_seconds: float) -> None:
    if resource is None:
        raise OSError
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The timer and the soft limit end a process with a signal that says why, the hard limit also one that ignores them.
    signal.setitimer(signal.ITIMER_PROF, processor_seconds)
    whole_seconds = math.ceil(processor_seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (whole_seconds, whole_seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_LIMIT, _FILE_LIMIT))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES_LIMIT, _OPEN_FILES_LIMIT))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, _MEMORY_LIMIT))


def _drop_capabilities() -> None:
    """Of root's powers keep only that to open others' files, without which Python may not find its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    held = ctypes.create_string_buffer(24)
    if libc.capget(header, held) == 0:
        effective, permitted, *_ = struct.unpack("6I", held.raw)
        kept = _CAP_DAC_OVERRIDE | _CAP_DAC_READ_SEARCH
        libc.capset(header, struct.pack("6I", effective & kept, permitted & kept, 0, 0, 0, 0))


def _restrict_files(readable: list[Path], writable: list[Path]) -> None:
    """Landlock: no files but these, no TCP, and where the kernel is new enough no signals to processes outside."""
    if sys.platform != "linux":
        raise OSError
    version = _system_call(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    rights = _newest(_FILE_SYSTEM_RIGHTS, version)
    attributes = struct.pack("QQQ", rights, _newest(_TCP_RIGHTS, version), _newest(_SCOPES, version))
    ruleset = _system_call(_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for path in readable:
            _allow(ruleset, path, _READ_FILE | _READ_DIR)
        for path in writable:
            _allow(ruleset, path, rights)
        _system_call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _newest(by_version: dict[int, int], version: int) -> int:
    return max((value for since, value in by_version.items() if since <= version), default=0)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        # One of the places where libraries may be; or a file that the process will miss as it would without rules.
        return
    try:
        if not path.is_dir():
            rights &= _READ_FILE | _WRITE_FILE | _TRUNCATE
        _system_call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)


def _filter_system_calls() -> None:
    program = filter_program() if sys.platform == "linux" else None
    if program is None:
        raise OSError
    array = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(array))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, fprog)


def _prctl(option: int, *arguments: int | bytes) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    padded = [*arguments, *[0] * (4 - len(arguments))]
    converted = [argument if isinstance(argument, bytes) else ctypes.c_ulong(argument) for argument in padded]
    if libc.prctl(option, *converted) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _system_call(number: int, *arguments: int | bytes | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    converted = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    result = int(libc.syscall(ctypes.c_long(number), *converted))
    if result < 0:
        raise OSError(ctypes.get_errno(), "system call")
    return result
