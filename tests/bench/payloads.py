"""What the Discord stand-in says: fixed bodies, and the gateway frames of `/imagine`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

Json = dict[str, Any]

APPLICATION_ID: Final = "900000000000000001"
GUILD_ID: Final = "900000000000000100"
OWNER_ID: Final = "900000000000000200"
ROLE_ID: Final = "900000000000000201"
FIRST_MEMBER_ID: Final = 910_000_000_000_000_000
CHANNEL_IDS: Final = ("900000000000000301", "900000000000000302", "900000000000000303")

ALL_PERMISSIONS: Final = str((1 << 53) - 1)
JOINED_AT: Final = "2024-05-01T12:00:00.000000+00:00"
UPLOAD_LIMIT: Final = 10 * 1024 * 1024
ATTACHMENT_OPTION: Final = 11

PREFERRED: Final = {"aspect_ratio": "16:9", "resolution": "1K"}


def user(user_id: str, name: str, *, bot: bool = False) -> Json:
    """A user object."""
    return {
        "id": user_id,
        "username": name,
        "global_name": name.title(),
        "discriminator": "0",
        "avatar": None,
        "bot": bot,
        "public_flags": 0,
        "flags": 0,
    }


def bot_user() -> Json:
    """The bot's own user, as `/users/@me` and READY show it."""
    return {**user(APPLICATION_ID, "easel", bot=True), "verified": True, "mfa_enabled": False, "locale": "en-US"}


def application() -> Json:
    """The bot's application, with no privileged intent granted."""
    return {
        "id": APPLICATION_ID,
        "name": "easel",
        "description": "",
        "icon": None,
        "bot_public": True,
        "bot_require_code_grant": False,
        "owner": user(OWNER_ID, "owner"),
        "team": None,
        "verify_key": "0" * 64,
        "flags": 0,
    }


def member(user_id: str, name: str) -> Json:
    """A member of the one server, without the permissions that interactions add."""
    return {
        "user": user(user_id, name),
        "nick": None,
        "avatar": None,
        "roles": [ROLE_ID],
        "joined_at": JOINED_AT,
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
    }


def channel(channel_id: str) -> Json:
    """A text channel of the one server."""
    return {
        "id": channel_id,
        "type": 0,
        "guild_id": GUILD_ID,
        "name": f"pictures-{channel_id[-1]}",
        "position": int(channel_id[-1]),
        "permission_overwrites": [],
        "parent_id": None,
        "topic": None,
        "nsfw": False,
        "rate_limit_per_user": 0,
        "last_message_id": None,
        "flags": 0,
    }


def _role(role_id: str, name: str, position: int) -> Json:
    return {
        "id": role_id,
        "name": name,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "position": position,
        "permissions": ALL_PERMISSIONS,
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }


def guild() -> Json:
    """The one server, as GUILD_CREATE shows it."""
    return {
        "id": GUILD_ID,
        "name": "The bench",
        "icon": None,
        "splash": None,
        "owner_id": OWNER_ID,
        "afk_timeout": 300,
        "afk_channel_id": None,
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "preferred_locale": "en-US",
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "public_updates_channel_id": None,
        "vanity_url_code": None,
        "description": None,
        "banner": None,
        "features": [],
        "roles": [_role(GUILD_ID, "@everyone", 0), _role(ROLE_ID, "painters", 1)],
        "emojis": [],
        "stickers": [],
        "channels": [channel(channel_id) for channel_id in CHANNEL_IDS],
        "threads": [],
        "members": [
            member(APPLICATION_ID, "easel"),
            *(member(str(int(OWNER_ID) + 10 + n), f"member{n}") for n in range(5)),
        ],
        "member_count": 6,
        "large": False,
        "unavailable": False,
        "joined_at": JOINED_AT,
        "voice_states": [],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def message(message_id: str, channel_id: str) -> Json:
    """An empty message by the bot, for the fields that were sent to be laid over."""
    return {
        "id": message_id,
        "channel_id": channel_id,
        "type": 0,
        "content": "",
        "author": bot_user(),
        "webhook_id": APPLICATION_ID,
        "application_id": APPLICATION_ID,
        "attachments": [],
        "embeds": [],
        "components": [],
        "mentions": [],
        "mention_roles": [],
        "mention_everyone": False,
        "pinned": False,
        "tts": False,
        "flags": 0,
        "timestamp": "2026-01-01T00:00:00.000000+00:00",
        "edited_timestamp": None,
    }


def event(name: str, sequence: int, data: Json) -> bytes:
    """A dispatched gateway event, ready to be sent."""
    return orjson.dumps({"op": 0, "t": name, "s": sequence, "d": data})


def default_imagine() -> Json:
    """`/imagine` as it is assumed to be registered when the bot has not sent its commands."""
    return {
        "id": "900000000000000400",
        "name": "imagine",
        "type": 1,
        "options": [{"name": "prompt", "type": 3, "required": True}],
    }


def imagine_data(command: Json, number: int, *, references: Sequence[str] = (), count: int = 1) -> Json:
    """The `data` of an `/imagine` interaction: a prompt, and what else the registered command offers.

    Each of the references, given as URLs, takes one of the command's attachment options.
    """
    options: list[Json] = [{"name": "prompt", "type": 3, "value": f"a lighthouse at dusk, sketch {number}"}]
    attachments: dict[str, Json] = {}
    left = list(references)
    for option in command.get("options", []):
        if option["type"] == ATTACHMENT_OPTION and left:
            attachment_id = str(920_000_000_000_000_000 + number * 10 + len(left))
            attachments[attachment_id] = _attachment(attachment_id, left.pop(0))
            options.append({"name": option["name"], "type": ATTACHMENT_OPTION, "value": attachment_id})
        elif (value := count if option["name"] == "count" else _preferred(option)) is not None:
            options.append({"name": option["name"], "type": option["type"], "value": value})
    data: Json = {"id": command["id"], "name": command["name"], "type": 1, "options": options}
    if attachments:
        data["resolved"] = {"attachments": attachments}
    if "guild_id" in command:
        data["guild_id"] = command["guild_id"]
    return data


def _preferred(option: Mapping[str, Any]) -> str | int | None:
    """The value to send for an option, or None to leave it out."""
    wanted = PREFERRED.get(option["name"])
    choices = option.get("choices")
    if wanted is None or not choices:
        return wanted
    return next((choice["value"] for choice in choices if wanted in (choice["value"], choice["name"])), None)


def _attachment(attachment_id: str, url: str) -> Json:
    return {
        "id": attachment_id,
        "filename": "reference.jpg",
        "size": 50_000,
        "url": url,
        "proxy_url": url,
        "width": 1024,
        "height": 576,
        "content_type": "image/jpeg",
        "ephemeral": True,
    }


def stored_file(port: int, sent: Json) -> Json:
    """An uploaded file as Discord describes it once it is stored; one that is stored already stays as it is."""
    name: str = sent.get("filename", "image.png")
    url = f"http://127.0.0.1:{port}/attachments/1/1/{name}"
    stored: Json = {"size": 50_000, "url": url, "proxy_url": url, "content_type": "image/jpeg", "filename": name}
    return {**stored, **sent, "id": str(900_000_000_000_000_500 + int(sent["id"]) % 10)}


def interaction(interaction_id: str, token: str, user_id: int, data: Json) -> Json:
    """An interaction by a member of the one server, in one of its channels."""
    channel_id = CHANNEL_IDS[user_id % len(CHANNEL_IDS)]
    return {
        "id": interaction_id,
        "application_id": APPLICATION_ID,
        "type": 2,
        "token": token,
        "version": 1,
        "data": data,
        "guild_id": GUILD_ID,
        "guild": {"id": GUILD_ID, "locale": "en-US", "features": []},
        "guild_locale": "en-US",
        "locale": "en-US",
        "channel_id": channel_id,
        "channel": {**channel(channel_id), "permissions": ALL_PERMISSIONS},
        "member": {**member(str(user_id), f"painter{user_id % 100_000}"), "permissions": ALL_PERMISSIONS},
        "app_permissions": ALL_PERMISSIONS,
        "entitlements": [],
        "authorizing_integration_owners": {"0": GUILD_ID},
        "context": 0,
        "attachment_size_limit": UPLOAD_LIMIT,
    }
