"""A way to PostgreSQL that takes longer: a local TCP port before its socket, which holds back what clients send."""

import argparse
import socket
import socketserver
import time
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import final

_CHUNK = 1 << 16


@final
class _Port(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, target: Path, seconds: float) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.target = target
        self.seconds = seconds


@final
class _Connection(socketserver.BaseRequestHandler):
    """The whole round trip is added on the way there: a client that waits for the answer cannot tell the difference."""

    def handle(self) -> None:
        port, client = self.server, self.request
        if not isinstance(port, _Port):
            raise TypeError(port)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held_back: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(str(port.target))
            threads = (
                Thread(target=_send_late, args=(held_back, server)),
                Thread(target=_pass_on, args=(server, client)),
            )
            for thread in threads:
                thread.start()
            chunk = b"-"
            while chunk:
                chunk = _receive(client)
                held_back.put((time.monotonic() + port.seconds, chunk))
            for thread in threads:
                thread.join()


def _send_late(held_back: SimpleQueue[tuple[float, bytes]], server: socket.socket) -> None:
    while True:
        due, chunk = held_back.get()
        time.sleep(max(due - time.monotonic(), 0))
        if not chunk:
            server.shutdown(socket.SHUT_RDWR)
            return
        server.sendall(chunk)


def _pass_on(server: socket.socket, client: socket.socket) -> None:
    while chunk := _receive(server):
        client.sendall(chunk)


def _receive(end: socket.socket) -> bytes:
    try:
        return end.recv(_CHUNK)
    except ConnectionError:
        return b""


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--milliseconds", type=float, required=True, help="added to each round trip")
    options = parser.parse_args()
    with _Port(options.port, options.target, options.milliseconds / 1000) as port:
        port.serve_forever()


if __name__ == "__main__":
    main()
