"""What a message to Discord may ping: nobody, or the one it is for."""

import re
from typing import Any, cast

_MESSAGES = (
    ("POST", re.compile(r"/channels/\d+/messages")),
    ("PATCH", re.compile(r"/channels/\d+/messages/\d+")),
    ("POST", re.compile(r"/webhooks/\d+/[^/]+")),
    ("PATCH", re.compile(r"/webhooks/\d+/[^/]+/messages/[^/]+")),
    ("POST", re.compile(r"/interactions/\d+/[^/]+/callback")),
)
_SHOWING = {"content", "components", "embeds", "poll"}
_WITH_A_MESSAGE = {4, 7}
"""The types of answer to an interaction that post or edit a message."""


def pings_of(method: str, path: str, body: Any) -> list[str]:
    """What is wrong with the mentions that a call allows; empty for a call that shows no words."""
    if not any(method == one and pattern.fullmatch(path) for one, pattern in _MESSAGES) or not isinstance(body, dict):
        return []
    message = cast("dict[str, Any]", body)
    if path.endswith("/callback"):
        message = cast("dict[str, Any]", message.get("data") or {}) if message.get("type") in _WITH_A_MESSAGE else {}
    if not _SHOWING.intersection(message):
        return []
    allowed: dict[str, Any] | None = message.get("allowed_mentions")
    if allowed is None:
        return [f"{method} {path}: says nothing of mentions, so everybody is pinged"]
    wrong = [key for key in ("parse", "roles", "replied_user") if allowed.get(key)]
    wrong += ["users"] if len(allowed.get("users") or ()) > 1 else []
    return [f"{method} {path}: allows {key}: {allowed[key]}" for key in wrong]
