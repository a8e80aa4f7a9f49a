"""The files that were uploaded; all in memory, gone with the server."""

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

from yarl import URL

from demo.kie.wire import Call, Json, Refusal, SentFile


class Uploads:
    """Keeps files by path; the same path again overwrites, as at KIE."""

    def __init__(self) -> None:
        self._files: dict[str, SentFile] = {}

    def get(self, path: str) -> SentFile | None:
        """The file at a path below ``/uploads/``."""
        return self._files.get(path)

    def at(self, address: str, base_url: str) -> SentFile | None:
        """The file at a full address, when that is one of ours."""
        start = f"{base_url}/uploads/"
        return self._files.get(URL(address).path.removeprefix("/uploads/")) if address.startswith(start) else None

    def keep(self, call: Call, base_url: str, now: float) -> dict[str, Json] | Refusal:
        """Keep the file of an upload form and describe it as KIE does; ``now`` is Unix time."""
        file, folder = call.files.get("file"), call.fields.get("uploadPath", "").strip("/")
        if file is None:
            return Refusal(400, "file is required")
        if not folder:
            return Refusal(400, "uploadPath is required")
        name = (call.fields.get("fileName") or file.name).replace("/", "_")
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
