"""Asks a running bot whether it lives or is ready, for a container's health check."""

import http.client
from ipaddress import ip_address

_TIMEOUT = 3.0
"""Seconds; less than container engines wait for a health check."""


def is_healthy(host: str, port: int, path: str = "/healthz") -> bool:
    """Whether the web server that listens on this ``web.host`` and ``web.port`` answers with 200."""
    connection = http.client.HTTPConnection(_reachable(host), port, timeout=_TIMEOUT)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, UnicodeError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _reachable(host: str) -> str:
    """An address to connect to: who listens on all addresses also listens on loopback."""
    if not host:
        return "127.0.0.1"
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "::1" if address.version == 6 else "127.0.0.1"
