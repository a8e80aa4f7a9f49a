"""Reference images: the files uploaded to the stand-in, and those it downloads from other loopback servers."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

from aiohttp import ClientError, ClientSession, ClientTimeout
from PIL import Image
from yarl import URL

from demo.kie.wire import Json, KieError, RecordedRequest, SentFile, is_loopback

REFERENCE_MAX_BYTES = 10 * 1024 * 1024
REFERENCE_FORMATS = ("JPEG", "PNG", "WEBP")
"""KIE's limits for flux-2: https://kie.ai/flux-2"""
_DOWNLOAD_TIMEOUT = ClientTimeout(total=5)


class UploadStore:
    """The uploaded files by path, in memory. A repeated path overwrites, as at KIE."""

    def __init__(self) -> None:
        self._files: dict[str, SentFile] = {}

    def get(self, path: str) -> SentFile | None:
        """The file at a path below ``/uploads/``."""
        return self._files.get(path)

    def keep(self, request: RecordedRequest, base_url: str, now: float) -> dict[str, Json]:
        """Keep the file of an upload form and describe it as KIE does; ``now`` is Unix time. Raises KieError."""
        file, folder = request.files.get("file"), request.fields.get("uploadPath", "").strip("/")
        if file is None:
            raise KieError(400, "file is required")
        if not folder:
            raise KieError(400, "uploadPath is required")
        name = (request.fields.get("fileName") or file.name).replace("/", "_")
        path = f"{folder}/{name}"
        self._files[path] = replace(file, name=name)
        return {
            "fileName": name,
            "filePath": path,
            "downloadUrl": f"{base_url}/uploads/{quote(path)}",
            "fileSize": len(file.content),
            "mimeType": file.content_type,
            "uploadedAt": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        }

    async def load(self, address: str, base_url: str, session: ClientSession) -> bytes | None:
        """The reference at an address, uploaded or downloaded; None unless it is an image that KIE accepts."""
        if address.startswith(f"{base_url}/uploads/"):
            file = self.get(URL(address).path.removeprefix("/uploads/"))
            content = None if file is None else file.content
        else:
            content = await _download(session, address)
        return content if content is not None and _is_reference(content) else None


async def _download(session: ClientSession, address: str) -> bytes | None:
    """Download from a loopback server without following redirects; None if that fails or it is too large."""
    if not is_loopback(address):
        return None
    try:
        async with session.get(address, allow_redirects=False, timeout=_DOWNLOAD_TIMEOUT) as response:
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


def _is_reference(content: bytes) -> bool:
    if len(content) > REFERENCE_MAX_BYTES:
        return False
    try:
        with Image.open(io.BytesIO(content), formats=REFERENCE_FORMATS) as image:
            return min(image.size) > 0
    except (OSError, Image.DecompressionBombError):
        return False
