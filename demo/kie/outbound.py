"""Everything the stand-in itself fetches or calls. Only this machine is ever contacted."""

import base64
import hashlib
import hmac
import io
import ipaddress
from collections.abc import Mapping

from aiohttp import ClientError, ClientSession, ClientTimeout
from PIL import Image
from yarl import URL

from demo.kie.wire import Json

REFERENCE_MAX_BYTES = 10 * 1024 * 1024
REFERENCE_FORMATS = ("JPEG", "PNG", "WEBP")


def is_loopback(address: str) -> bool:
    """Whether an http address points to this machine, by its name alone: nothing is resolved."""
    try:
        url = URL(address)
        host = url.host or ""
        if url.scheme not in ("http", "https"):
            return False
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_reference(content: bytes) -> bool:
    """Whether KIE would take these bytes as a reference: JPEG, PNG or WebP of at most 10 MB."""
    if len(content) > REFERENCE_MAX_BYTES:
        return False
    try:
        with Image.open(io.BytesIO(content), formats=REFERENCE_FORMATS) as picture:
            return min(picture.size) > 0
    except (OSError, Image.DecompressionBombError):
        return False


def sign(key: str, task_id: str, timestamp: str) -> str:
    """KIE's callback signature: it covers the task id and the time, not the body."""
    digest = hmac.new(key.encode(), f"{task_id}.{timestamp}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


async def fetch(session: ClientSession, address: str, seconds: float) -> bytes | None:
    """Download from another loopback server, without following redirects; None when that cannot be had."""
    if not is_loopback(address):
        return None
    try:
        async with session.get(address, allow_redirects=False, timeout=ClientTimeout(total=seconds)) as response:
            if response.status != 200:
                return None
            content = bytearray()
            async for chunk in response.content.iter_chunked(64 * 1024):
                content += chunk
                if len(content) > REFERENCE_MAX_BYTES:
                    return None
            return bytes(content)
    except (ClientError, TimeoutError, ValueError):
        return None


async def post(session: ClientSession, address: str, body: Json, headers: Mapping[str, str], seconds: float) -> bool:
    """Deliver a callback once; False when the target is elsewhere, silent or says anything but 2xx."""
    if not is_loopback(address):
        return False
    try:
        async with session.post(
            address, json=body, headers=headers, allow_redirects=False, timeout=ClientTimeout(total=seconds)
        ) as response:
            return response.ok
    except (ClientError, TimeoutError, ValueError):
        return False
