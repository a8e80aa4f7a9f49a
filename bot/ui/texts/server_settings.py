"""The settings of a server, as /quota settings and the log say them."""

from bot.domain.ids import ChannelId
from bot.domain.rules import ServerSettings
from bot.ui.texts.amounts import in_bonus_credits, joined, some
from bot.ui.texts.commands import REPLY_MODES

REPORTS_PUBLIC = "-# Everyone can see the channel for reports. They name who reported what, so a private one is better."
_CHANNELS_LISTED = 25
_CHANNELS_NOTED = 5


def settings(chosen: ServerSettings) -> str:
    """A server's settings, a line each."""
    channels = some([f"<#{channel}>" for channel in sorted(chosen.channels)], _CHANNELS_LISTED) or "all"
    limit = [_manager_limit(chosen)] if chosen.manager_role else []
    rest = [line(chosen) for line in (_requests, _reports, _replies)]
    return "\n".join([_zone(chosen), f"Channels: {channels}", _managers(chosen), *limit, *rest])


def settings_changed(before: ServerSettings, after: ServerSettings) -> str:
    """What was changed in a server's settings; of many channels only those added or removed."""
    lines = (_zone, _managers, _manager_limit, _requests, _reports, _replies)
    pieces = [joined(line(after)) for line in lines if line(after) != line(before)]
    for label, channels in (
        ("channels added", after.channels - before.channels),
        ("channels removed", before.channels - after.channels),
    ):
        if channels:
            pieces.append(f"{label}: {some([f'<#{channel}>' for channel in sorted(channels)], _CHANNELS_NOTED)}")
    return " · ".join(pieces)


def _zone(chosen: ServerSettings) -> str:
    return f"Time zone: **{chosen.zone}**"


def _managers(chosen: ServerSettings) -> str:
    role = f" or <@&{chosen.manager_role}>" if chosen.manager_role else ""
    return f"Quota managers: anyone with Manage Server{role}"


def _manager_limit(chosen: ServerSettings) -> str:
    limit = in_bonus_credits(chosen.manager_limit)
    return f"Quota managers with the role can grant up to {limit} a month to other members"


def _requests(chosen: ServerSettings) -> str:
    return f"Requests for more credits: {_channel(chosen.requests_channel)}"


def _reports(chosen: ServerSettings) -> str:
    return f"Reports of images: {_channel(chosen.reports_channel)}"


def _channel(chosen: ChannelId | None) -> str:
    return f"<#{chosen}>" if chosen else "off"


def _replies(chosen: ServerSettings) -> str:
    return f"Replies without a mention: {REPLY_MODES[chosen.replies]}"
