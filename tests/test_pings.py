"""The check of allowed mentions that every message of the bot must pass."""

from typing import Any

import pytest

from tests.pings import pings_of

SEND, EDIT, CALLBACK = "/channels/1/messages", "/webhooks/1/token/messages/@original", "/interactions/1/token/callback"
TEXT = {"content": "hello"}


@pytest.mark.parametrize(
    "allowed", [{"parse": []}, {"parse": [], "users": ["1"]}, {"parse": [], "replied_user": False}]
)
def test_allowed(allowed: dict[str, Any]) -> None:
    for method, path in (("POST", SEND), ("PATCH", f"{SEND}/2"), ("PATCH", EDIT)):
        assert pings_of(method, path, TEXT | {"allowed_mentions": allowed}) == []
    assert pings_of("POST", CALLBACK, {"type": 4, "data": TEXT | {"allowed_mentions": allowed}}) == []


@pytest.mark.parametrize(
    "allowed",
    [None, {"parse": ["everyone"]}, {"parse": [], "users": ["1", "2"]}, {"roles": ["1"]}, {"replied_user": True}],
)
@pytest.mark.parametrize("visible", [TEXT, {"components": []}, {"embeds": []}])
def test_not_allowed(allowed: dict[str, Any] | None, visible: dict[str, Any]) -> None:
    body = visible | ({} if allowed is None else {"allowed_mentions": allowed})
    for method, path in (("POST", SEND), ("PATCH", EDIT), ("POST", "/webhooks/1/token")):
        assert len(pings_of(method, path, body)) == 1
    assert len(pings_of("POST", CALLBACK, {"type": 7, "data": body})) == 1


def test_calls_without_text() -> None:
    assert pings_of("POST", CALLBACK, {"type": 5, "data": {"flags": 64}}) == []
    assert pings_of("POST", CALLBACK, {"type": 9, "data": {"components": []}}) == []
    assert pings_of("PATCH", EDIT, {"attachments": []}) == []
    assert pings_of("DELETE", EDIT, None) == []
    assert pings_of("PUT", "/applications/1/commands", [{"name": "imagine"}]) == []
