"""The signature of KIE's callbacks: base64(HMAC-SHA256(key, task id + "." + Unix seconds)) (docs.kie.ai)."""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta

ALLOWED_SKEW = timedelta(minutes=5)
_SIGNATURE_LENGTH = 44


def sign(key: str, kie_task_id: str, timestamp: str) -> str:
    """The X-Webhook-Signature that KIE sends for this task id and X-Webhook-Timestamp."""
    digest = hmac.new(key.encode(), f"{kie_task_id}.{timestamp}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def headers_plausible(timestamp: str, signature: str, now: datetime) -> bool:
    """Whether both headers are well-formed and at most five minutes old or early; needs no body to decide."""
    # compare_digest raises TypeError for text that is not ASCII.
    if len(signature) != _SIGNATURE_LENGTH or not signature.isascii():
        return False
    if not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > 12:
        return False
    return abs(now.timestamp() - int(timestamp)) <= ALLOWED_SKEW.total_seconds()


def verify(key: str, kie_task_id: str, timestamp: str, signature: str, now: datetime) -> bool:
    """Whether the signature is correct and within five minutes of ``now``; compares in constant time."""
    if not headers_plausible(timestamp, signature, now):
        return False
    return hmac.compare_digest(sign(key, kie_task_id, timestamp).encode(), signature.encode())
