"""The rule that every message of the bot is held against."""

from typing import Any

import pytest

from tests.pings import pings_of

SEND, EDIT, CALLBACK = "/channels/1/messages", "/webhooks/1/token/messages/@original", "/interactions/1/token/callback"
SAID = {"content": "hello"}


@pytest.mark.parametrize(
    "allowed", [{"parse": []}, {"parse": [], "users": ["1"]}, {"parse": [], "replied_user": False}]
)
@pytest.mark.parametrize(("method", "path"), [("POST", SEND), ("PATCH", f"{SEND}/2"), ("PATCH", EDIT)])
def test_fine(method: str, path: str, allowed: dict[str, Any]) -> None:
    assert pings_of(method, path, SAID | {"allowed_mentions": allowed}) == []
    assert pings_of("POST", CALLBACK, {"type": 4, "data": SAID | {"allowed_mentions": allowed}}) == []


@pytest.mark.parametrize(
    "allowed",
    [None, {"parse": ["everyone"]}, {"parse": [], "users": ["1", "2"]}, {"roles": ["1"]}, {"replied_user": True}],
)
def test_not_fine(allowed: dict[str, Any] | None) -> None:
    shown: list[dict[str, Any]] = [SAID, {"components": []}, {"embeds": []}]
    for said in shown:
        body = said | ({} if allowed is None else {"allowed_mentions": allowed})
        assert len(pings_of("POST", SEND, body)) == 1
        assert len(pings_of("PATCH", EDIT, body)) == 1
        assert len(pings_of("POST", "/webhooks/1/token", body)) == 1
        assert len(pings_of("POST", CALLBACK, {"type": 7, "data": body})) == 1


def test_what_shows_no_words() -> None:
    assert pings_of("POST", CALLBACK, {"type": 5, "data": {"flags": 64}}) == []
    assert pings_of("POST", CALLBACK, {"type": 9, "data": {"components": []}}) == []
    assert pings_of("PATCH", EDIT, {"attachments": []}) == []
    assert pings_of("DELETE", EDIT, None) == []
    assert pings_of("PUT", "/applications/1/commands", [{"name": "imagine"}]) == []
