"""What code would try that has taken a confined process over. A test copies it to where that process imports it.

It reads what to try from ``facts.json`` beside it and writes what it could do as JSON to ``facts["report"]``, or, where
that is empty, to its output. ``facts["only"]``, if not empty, names the attempts to make.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

FACTS: dict[str, Any] = json.loads(Path(__file__).with_name("facts.json").read_text())
LIBC = ctypes.CDLL(None, use_errno=True)


def system_call(number: int, *arguments: int) -> None:
    if LIBC.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)) < 0:
        raise OSError


def connect(family: int, kind: int, address: Any) -> None:
    with socket.socket(family, kind) as opened:
        opened.settimeout(2)
        opened.connect(address)


def send_by_pair(address: str) -> None:
    """Reach a socket without opening one for it."""
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    pair[0].sendto(b"Secret", address)


def have_signalled(pid: int) -> None:
    """Have the kernel send the signals of a file to another process."""
    fcntl.fcntl(1, fcntl.F_SETOWN, pid)


def fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def peek(pid: int) -> None:
    """Ask Linux for nothing out of the memory of another process, which it allows only to those who could have it."""
    buffer = (ctypes.c_ulong * 2)(ctypes.addressof(ctypes.create_string_buffer(8)), 0)
    system_call(310, pid, ctypes.addressof(buffer), 1, ctypes.addressof(buffer), 1, 0)


def attempts() -> dict[str, Callable[[], Any]]:
    """By name, what must fail."""
    tries: dict[str, Callable[[], Any]] = {}
    for path in map(Path, FACTS["secrets"]):
        tries |= {
            f"read {path}": path.read_bytes,
            f"overwrite {path}": lambda path=path: path.open("r+b").close(),
            f"cut {path}": lambda path=path: os.truncate(path, 0),
            f"open up {path}": lambda path=path: path.chmod(0o777),
            f"touch {path}": lambda path=path: os.utime(path),
            f"remove {path}": path.unlink,
            f"list beside {path}": lambda path=path: list(path.parent.iterdir()),
            f"write beside {path}": path.with_name("planted").touch,
            f"link beside {path}": lambda path=path: path.with_name("linked").symlink_to(path),
        }
    for pid in (FACTS["bot"], os.getppid()):
        tries |= {
            **{f"read {name} of {pid}": Path(f"/proc/{pid}/{name}").read_bytes for name in ("environ", "maps", "stat")},
            f"open the memory of {pid}": lambda pid=pid: Path(f"/proc/{pid}/mem").open("rb").close(),
            f"list the descriptors of {pid}": lambda pid=pid: list(Path(f"/proc/{pid}/fd").iterdir()),
            f"trace {pid}": lambda pid=pid: system_call(101, 16, pid, 0, 0),
            f"peek into {pid}": lambda pid=pid: peek(pid),
            f"signal {pid}": lambda pid=pid: os.kill(pid, 0),
            f"have {pid} signalled": lambda pid=pid: have_signalled(pid),
            f"limit {pid}": lambda pid=pid: resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0)),
            f"slow {pid} down": lambda pid=pid: os.setpriority(os.PRIO_PROCESS, pid, 19),
        }
    inet, unix, stream, datagram = socket.AF_INET, socket.AF_UNIX, socket.SOCK_STREAM, socket.SOCK_DGRAM
    tries |= {f"read {path}": Path(path).read_bytes for path in FACTS["project"]}
    return tries | {
        "connect to a server": lambda: connect(inet, stream, ("127.0.0.1", FACTS["port"])),
        "send a datagram": lambda: connect(inet, datagram, ("127.0.0.1", 53)),
        "connect to a local socket": lambda: connect(unix, stream, FACTS["unix"]),
        "connect to a nameless socket": lambda: connect(unix, stream, "\0" + FACTS["abstract"]),
        "send by a pair of sockets": lambda: send_by_pair(FACTS["datagrams"]),
        "resolve a name": lambda: socket.getaddrinfo("localhost", 80),
        "use io_uring": lambda: system_call(425, 1, 0),
        "fork": fork,
        "run a program": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
        "become a program": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "make a namespace": lambda: system_call(272, 0x10000000),
        "share memory": lambda: system_call(29, 0, 4096, 0o1600),
        "keep memory that no limit counts": lambda: os.memfd_create("planted"),
        "watch a folder": lambda: system_call(294, 0),
        "outlive its parent": lambda: system_call(157, 1, 0, 0, 0, 0),
        "start a session of its own": os.setsid,
        "read the kernel's log": lambda: system_call(103, 3, ctypes.addressof(ctypes.create_string_buffer(9)), 9),
        "read the users": Path("/etc/passwd").read_bytes,
        "write to the temporary folder": lambda: Path(tempfile.gettempdir(), "planted").touch(),
        "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_CPU, (100, 100)),
        "gain privileges": lambda: system_call(105, 1) if os.getuid() else system_call(165, 0, 0, 0, 0, 0),
    }


def descriptors() -> list[int]:
    """The open descriptors that lead anywhere but to /dev/null."""
    found: list[int] = []
    for descriptor in range(1024):
        with contextlib.suppress(OSError):
            status = os.fstat(descriptor)
            if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(1, 3):
                found.append(descriptor)
    return found


def report() -> dict[str, Any]:
    """What it has found."""
    done: list[str] = []
    for name, attempt in attempts().items():
        if not FACTS["only"] or name in FACTS["only"]:
            with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
                attempt()
                done.append(name)
    names = ("CPU", "FSIZE", "NOFILE", "CORE", "AS")
    return {
        "done": done,
        "environment": dict(os.environ),
        "descriptors": descriptors(),
        "limits": {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in names},
        "no_new_privs": LIBC.prctl(39, 0, 0, 0, 0),
    }


if FACTS["report"]:
    Path(FACTS["report"]).write_text(json.dumps(report()))
else:
    os.write(1, json.dumps(report()).encode())
os._exit(0)
