"""The check against Discord's OpenAPI document accepts what Discord accepts and names each mistake."""

from typing import Any

import pytest

from tests.discord_schema import DiscordSchema

_CALLBACK = "/interactions/11/token/callback"
_ORIGINAL = "/webhooks/12/token/messages/@original"
_COMMANDS = "/applications/12/commands"
_MESSAGES = "/channels/13/messages"


@pytest.fixture(scope="module")
def schema() -> DiscordSchema:
    schema = DiscordSchema.load()
    if schema is None:
        pytest.skip("Discord's OpenAPI document is not here; EASEL_DISCORD_OPENAPI can name it")
    return schema


def row_of(*components: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(components)}


def card(*, alt: str = "a teal field", **changes: Any) -> dict[str, Any]:
    """A Components V2 edit as discord.py sends it, with changes to its button."""
    button = {"type": 2, "style": 1, "label": "Again", "custom_id": "again:1", "disabled": False} | changes
    gallery = {"type": 12, "items": [{"media": {"url": "attachment://a.png"}, "description": alt}]}
    parts = [{"type": 10, "content": "A field"}, gallery, row_of(button)]
    container = {"type": 17, "components": parts}
    return {"flags": 32768, "components": [container], "attachments": [{"id": 0, "filename": "a.png"}]}


def modal(title: str = "Edit") -> dict[str, Any]:
    field = {"type": 4, "custom_id": "prompt", "style": 2, "max_length": 4000, "required": True}
    label = {"type": 18, "label": "Prompt", "component": field}
    return {"type": 9, "data": {"custom_id": "edit", "title": title, "components": [label]}}


def command(description: str = "Draw") -> dict[str, Any]:
    prompt = {"type": 3, "name": "prompt", "description": "What to draw", "required": True, "max_length": 5000}
    count = {"type": 4, "name": "count", "description": "How many", "min_value": 1, "max_value": 4}
    return {"type": 1, "name": "imagine", "description": description, "options": [prompt, count]}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", _COMMANDS, [command(), {"type": 3, "name": "Edit this image"}]),
        ("POST", _CALLBACK, {"type": 5, "data": {"flags": 64}}),
        ("POST", _CALLBACK, {"type": 5}),
        ("POST", _CALLBACK, modal()),
        ("POST", _CALLBACK, {"type": 8, "data": {"choices": [{"name": "pro", "value": "pro"}]}}),
        ("PATCH", _ORIGINAL, card()),
        ("PATCH", "/webhooks/12/token/messages/%40original", card()),
        ("PATCH", "/webhooks/12/token/messages/14", card()),
        ("POST", _MESSAGES, {"content": "hi", "nonce": "n1", "enforce_nonce": True}),
        ("POST", "https://discord.com/api/v10/channels/13/messages?x=1", {"content": "hi"}),
        ("GET", "/users/@me", None),
        ("POST", "/channels/13/typing", None),
    ],
)
def test_valid_requests_are_accepted(schema: DiscordSchema, method: str, path: str, body: Any) -> None:
    assert schema.problems(method, path, body) == []


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("PATCH", _ORIGINAL, card(label="x" * 81), "components[0].components[2].components[0].label"),
        ("PATCH", _ORIGINAL, card(custom_id="x" * 101), "components[2].components[0].custom_id"),
        ("PATCH", _ORIGINAL, card(alt="x" * 1025), "components[1].items[0].description"),
        ("PATCH", _ORIGINAL, card(type=99), "components[2].components[0].type: 99 is not one of the types"),
        ("PATCH", _ORIGINAL, {"components": [row_of({"type": 2})]}, "[0]: 'style' is a required property"),
        ("PATCH", _ORIGINAL, {"components": [{"type": 17}]}, "components[0]: 'components' is a required"),
        ("PATCH", _ORIGINAL, {"components": [{"type": 4}]}, "components[0].type: 4 is not one of the types"),
        ("POST", _MESSAGES, {"content": 5}, "$.content: 5 is not of type"),
        ("POST", _MESSAGES, {"content": "hi", "nonce": "n" * 26}, "$.nonce"),
        ("POST", _CALLBACK, modal("x" * 46), "$.data.title"),
        ("POST", _CALLBACK, {"type": 9}, "$: 'data' is a required property"),
        ("POST", _CALLBACK, {"type": 77}, "$.type: 77 is not one of the types"),
        ("POST", _CALLBACK, None, "the body is missing"),
        ("PUT", _COMMANDS, [command("x" * 101)], "$[0].description"),
        ("PUT", _COMMANDS, [{"type": 1, "description": "Draw"}], "$[0]: 'name' is a required property"),
        ("POST", "/channels/13/typing", {"content": "hi"}, "no body is allowed"),
        ("POST", "/channels/13/images", {}, "no such route"),
        ("DELETE", _CALLBACK, None, "no such route"),
    ],
)
def test_mistakes_are_named(schema: DiscordSchema, method: str, path: str, body: Any, expected: str) -> None:
    (problem,) = schema.problems(method, path, body)
    assert problem.startswith(f"{method} {path}: ")
    assert expected in problem
    assert len(problem) < 300


def test_without_a_document_there_is_no_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EASEL_DISCORD_OPENAPI", "/nowhere/discord.json")
    assert DiscordSchema.load() is None
