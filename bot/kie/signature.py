"""The signature on KIE's callbacks: base64(HMAC-SHA256(key, task id + "." + Unix seconds)) (docs.kie.ai)."""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta

ALLOWED_SKEW = timedelta(minutes=5)
_SIGNATURE_LENGTH = 44


def sign(key: str, kie_task_id: str, timestamp: str) -> str:
    """The signature that KIE puts into X-Webhook-Signature for this task and X-Webhook-Timestamp."""
    digest = hmac.new(key.encode(), f"{kie_task_id}.{timestamp}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def could_be_signed(timestamp: str, signature: str, now: datetime) -> bool:
    """Whether the two headers may be KIE's, as far as can be told without a body: well-formed, and of these minutes."""
    # A header may hold bytes that are no text, which nothing could compare.
    if len(signature) != _SIGNATURE_LENGTH or not signature.isascii():
        return False
    if not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > 12:
        return False
    return abs(now.timestamp() - int(timestamp)) <= ALLOWED_SKEW.total_seconds()


def verify(key: str, kie_task_id: str, timestamp: str, signature: str, now: datetime) -> bool:
    """Whether the signature is right and not older or newer than five minutes; compares in constant time."""
    if not could_be_signed(timestamp, signature, now):
        return False
    return hmac.compare_digest(sign(key, kie_task_id, timestamp).encode(), signature.encode())
