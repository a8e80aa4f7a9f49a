"""Checks whom a message to Discord may ping: nobody, or one user."""

import re
from typing import Any, cast

_MESSAGES = (
    ("POST", re.compile(r"/channels/\d+/messages")),
    ("PATCH", re.compile(r"/channels/\d+/messages/\d+")),
    ("POST", re.compile(r"/webhooks/\d+/[^/]+")),
    ("PATCH", re.compile(r"/webhooks/\d+/[^/]+/messages/[^/]+")),
    ("POST", re.compile(r"/interactions/\d+/[^/]+/callback")),
)
_VISIBLE = {"content", "components", "embeds", "poll"}
_MESSAGE_TYPES = {4, 7}
"""The types of interaction responses that post or edit a message."""


def pings_of(method: str, path: str, body: Any) -> list[str]:
    """The mentions that a call wrongly allows; empty for a call that shows no text."""
    if not any(method == verb and pattern.fullmatch(path) for verb, pattern in _MESSAGES) or not isinstance(body, dict):
        return []
    message = cast("dict[str, Any]", body)
    if path.endswith("/callback"):
        message = cast("dict[str, Any]", message.get("data") or {}) if message.get("type") in _MESSAGE_TYPES else {}
    if not _VISIBLE.intersection(message):
        return []
    allowed: dict[str, Any] | None = message.get("allowed_mentions")
    if allowed is None:
        return [f"{method} {path}: has no allowed_mentions, so every mention pings"]
    wrong = [key for key in ("parse", "roles", "replied_user") if allowed.get(key)]
    wrong += ["users"] if len(allowed.get("users") or ()) > 1 else []
    return [f"{method} {path}: allows {key}: {allowed[key]}" for key in wrong]
