"""What the fake Discord sends, with little more than the fields that discord.py reads."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

Json = dict[str, Any]

APPLICATION_ID: Final = "900000000000000001"
GUILD_ID: Final = "900000000000000100"
OWNER_ID: Final = "900000000000000200"
ROLE_ID: Final = "900000000000000201"
FIRST_MEMBER_ID: Final = 910_000_000_000_000_000
CHANNEL_IDS: Final = ("900000000000000301", "900000000000000302", "900000000000000303")

_ALL_PERMISSIONS: Final = str((1 << 53) - 1)
_ATTACHMENT_OPTION: Final = 11
_TIME_BITS: Final = 22
"""The lower bits of an id, which do not decide on a server's shard."""
_NO_COLORS: Final = {"primary_color": 0, "secondary_color": None, "tertiary_color": None}


def _user(user_id: str, name: str, *, bot: bool = False) -> Json:
    return {"id": user_id, "username": name, "global_name": name, "discriminator": "0", "avatar": None, "bot": bot}


def _member(user_id: str, name: str) -> Json:
    joined_at = "2024-05-01T12:00:00.000000+00:00"
    return {"user": _user(user_id, name), "nick": None, "roles": [ROLE_ID], "joined_at": joined_at, "flags": 0}


def _role(role_id: str, name: str, position: int) -> Json:
    look = {"color": 0, "colors": _NO_COLORS, "hoist": False, "mentionable": False, "managed": False, "flags": 0}
    return {"id": role_id, "name": name, "position": position, "permissions": _ALL_PERMISSIONS, **look}


def _channel(channel_id: str) -> Json:
    place: Json = {
        "position": int(channel_id[-1]),
        "parent_id": None,
        "guild_id": GUILD_ID,
        "permission_overwrites": [],
    }
    return {"id": channel_id, "type": 0, "name": f"images-{channel_id[-1]}", "topic": None, "nsfw": False, **place}


BOT_USER: Final = _user(APPLICATION_ID, "easel", bot=True)
APPLICATION: Final[Json] = {
    "owner": _user(OWNER_ID, "owner"),
    "verify_key": "0" * 64,
    **orjson.loads("""{
        "id": "900000000000000001", "name": "easel", "description": "", "icon": null, "flags": 0,
        "bot_public": true, "bot_require_code_grant": false
    }"""),
}
"""With no privileged intent granted."""
GUILD: Final[Json] = {
    "roles": [_role(GUILD_ID, "@everyone", 0), _role(ROLE_ID, "members", 1)],
    "channels": [_channel(channel_id) for channel_id in CHANNEL_IDS],
    "members": [_member(APPLICATION_ID, "easel")],
    **orjson.loads("""{
        "id": "900000000000000100", "name": "Benchmark", "owner_id": "900000000000000200", "member_count": 1,
        "preferred_locale": "en-US", "features": [], "premium_tier": 0, "unavailable": false
    }"""),
}
_MESSAGE: Final[Json] = {
    "author": BOT_USER,
    **orjson.loads("""{
        "type": 0, "content": "", "attachments": [], "embeds": [], "components": [], "mention_everyone": false,
        "pinned": false, "tts": false, "timestamp": "2026-01-01T00:00:00+00:00", "edited_timestamp": null
    }"""),
}
_INTERACTION: Final[Json] = {
    "app_permissions": _ALL_PERMISSIONS,
    **orjson.loads("""{
        "application_id": "900000000000000001", "type": 2, "version": 1, "context": 0, "entitlements": [],
        "guild_id": "900000000000000100", "guild": {"id": "900000000000000100", "locale": "en-US", "features": []},
        "guild_locale": "en-US", "locale": "en-US", "attachment_size_limit": 10485760,
        "authorizing_integration_owners": {"0": "900000000000000100"}
    }"""),
}


def message(message_id: str, channel_id: str) -> Json:
    """A message of the bot's without content."""
    return {"id": message_id, "channel_id": channel_id, **_MESSAGE}


def event(name: str, sequence: int, data: Json) -> bytes:
    """A gateway event as a frame."""
    return orjson.dumps({"op": 0, "t": name, "s": sequence, "d": data})


def of_shard(frame: bytes, number: int, count: int) -> bytes:
    """The same about a server of this shard, of so many."""
    own = (int(GUILD_ID) >> _TIME_BITS) % count
    server = int(GUILD_ID) + ((number - own) << _TIME_BITS)
    return frame.replace(GUILD_ID.encode(), str(server).encode())


def imagine_data(command: Json, number: int, references: Sequence[str] = ()) -> Json:
    """The ``data`` of an `/imagine` interaction, whose prompt has this number in it.

    Each reference, a URL, takes one of the attachment options of the registered command.
    """
    options: list[Json] = [{"name": "prompt", "type": 3, "value": f"a lighthouse at dusk, sketch {number}"}]
    attachments: dict[str, Json] = {}
    names = [option["name"] for option in command["options"] if option["type"] == _ATTACHMENT_OPTION]
    for place, (name, url) in enumerate(zip(names, references, strict=False)):
        attachment_id = str(920_000_000_000_000_000 + number * 10 + place)
        attachments[attachment_id] = {**_stored("reference.jpg", url), "id": attachment_id}
        options.append({"name": name, "type": _ATTACHMENT_OPTION, "value": attachment_id})
    identity = {key: command[key] for key in ("id", "name", "type", "guild_id") if key in command}
    return {**identity, "options": options, "resolved": {"attachments": attachments}}


def _stored(filename: str, url: str) -> Json:
    return {"filename": filename, "size": 50_000, "url": url, "proxy_url": url, "content_type": "image/jpeg"}


def stored_file(port: int, sent: Json) -> Json:
    """An uploaded file as Discord describes it once it is stored."""
    filename: str = sent.get("filename", "image.png")
    stored = _stored(filename, f"http://127.0.0.1:{port}/attachments/1/1/{filename}")
    return {**stored, **sent, "id": str(900_000_000_000_000_500 + int(sent["id"]) % 10)}


def interaction(interaction_id: str, token: str, user_id: int, data: Json) -> Json:
    """A slash command of a member's, in one of the channels."""
    channel = _channel(CHANNEL_IDS[user_id % len(CHANNEL_IDS)])
    return {
        **_INTERACTION,
        "id": interaction_id,
        "token": token,
        "data": data,
        "channel_id": channel["id"],
        "channel": {**channel, "permissions": _ALL_PERMISSIONS},
        "member": {**_member(str(user_id), f"member{user_id % 100_000}"), "permissions": _ALL_PERMISSIONS},
    }
