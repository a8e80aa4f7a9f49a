"""Ports for processes under test."""

import random
import socket
from contextlib import suppress
from typing import Final

_PORTS: Final = range(20_000, 32_000)
"""Below those that Linux gives to connections and servers that ask for any: the next one could be given this."""


def free_port() -> int:
    """A local port that nothing listens on at this moment, and that nothing else is likely to take."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
