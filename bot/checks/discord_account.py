"""The bot's account at Discord: its token, its application, and what it may do in its servers."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from bot import options
from bot.checks.discord_rest import DiscordRefused, DiscordRest, DiscordUnreachable
from bot.checks.lines import CheckLine, failed, ok, skipped
from bot.config import Config, secret_problem
from bot.domain.install import SEND_MESSAGES, SEND_MESSAGES_IN_THREADS, VIEW_CHANNEL, install_link, missing_permissions
from bot.domain.text import clean
from bot.ui.texts.amounts import some

_PORTAL: Final = "https://discord.com/developers/applications"
_SHOWN: Final = 20
"""How many servers with missing permissions have a line of their own."""
_NAMED: Final = 5
"""How many are named in one line."""
_CONTENT_FLAGS: Final = 1 << 18 | 1 << 19
"""The message-content intent, for bots in 100 servers and more, and for others
(https://discord.com/developers/docs/resources/application#application-object-application-flags)."""
_TO_POST: Final = {"View Channel": VIEW_CHANNEL, "Send Messages": SEND_MESSAGES}
_TO_POST_IN_THREAD: Final = {"View Channel": VIEW_CHANNEL, "Send Messages in Threads": SEND_MESSAGES_IN_THREADS}
_THREADS: Final = {10, 11, 12}
"""Types of channels (https://discord.com/developers/docs/resources/channel#channel-object-channel-types)."""


async def check_discord(rest: DiscordRest, config: Config) -> list[CheckLine]:
    """All about Discord; what cannot be asked because something before it failed is one line."""
    if problem := secret_problem("discord.token", config.discord.token):
        return [failed("token", *_parted(problem)), _not_tried("there is no token")]
    lines: list[CheckLine] = []
    try:
        await _ask(rest, config, lines)
    except DiscordRefused as error:
        if error.status == HTTPStatus.UNAUTHORIZED:
            fix = (
                f"press Reset Token on your application's Bot page at {_PORTAL} and put the new one into discord.token"
            )
            lines += [failed("token", "Discord refused it", fix), _not_tried("the token does not work")]
        else:
            lines += [failed("Discord", f"it answered with {error}", "try again in a minute"), _not_tried("it failed")]
    except DiscordUnreachable as error:
        fix = "see https://discordstatus.com, this machine's network, and discord.api_url"
        lines += [failed("Discord", f"it cannot be reached: {error}", fix), _not_tried("Discord cannot be reached")]
    except (KeyError, TypeError, ValueError) as error:
        detail = f"what answered is not Discord ({type(error).__name__})"
        lines += [failed("Discord", detail, "see discord.api_url"), _not_tried("Discord cannot be reached")]
    return lines


async def _ask(rest: DiscordRest, config: Config, lines: list[CheckLine]) -> None:
    """Add what Discord says to the lines, which keep what was found before an error."""
    application: dict[str, Any] = await rest.get("/oauth2/applications/@me")
    me: dict[str, Any] = await rest.get("/users/@me")
    lines.append(ok("token", f"Discord knows it: {clean(str(me['username']))}, user {me['id']}"))
    lines += _about_application(application, config)
    link = install_link(int(application["id"]))
    lines.append(ok("install link", link))
    guilds = [guild async for guild in rest.guilds()]
    lines += [*_about_servers(guilds, link), *_about_own_server(guilds, config, link), *_about_listed(guilds, config)]
    lines.append(await _about_alert_channel(rest, config, int(me["id"])))


def _not_tried(reason: str) -> CheckLine:
    return skipped("application", f"not checked, and neither are servers and channels: {reason}")


def _parted(problem: str) -> tuple[str, str]:
    """What is wrong, and what to do."""
    detail, _, fix = problem.rstrip(".").partition(": ")
    return detail, fix


def _about_application(application: dict[str, Any], config: Config) -> Iterable[CheckLine]:
    name = "application"
    if not application.get("bot_public"):
        yield ok(name, "private: only its owner can add it to servers")
    elif options.access(config).unprotected:
        fix = (
            "set Install Link to None on the Installation page, then switch Public Bot off on the Bot page; "
            "or set discord.guilds or limits.daily_budget"
        )
        yield failed(name, "public: any server can add it and spend your KIE credits", fix)
    else:
        yield ok(name, f"public: any server can add it, but {_protection(config)}")
    if application.get("bot_require_code_grant"):
        fix = "switch Requires OAuth2 Code Grant off on the Bot page"
        yield failed(name, "it requires a code grant, so no link can add it to a server", fix)
    if application.get("interactions_endpoint_url"):
        fix = "empty Interactions Endpoint URL on the General Information page"
        yield failed(name, "it has an interactions endpoint, so Discord sends commands there and not to the bot", fix)
    if int(application.get("flags") or 0) & _CONTENT_FLAGS:
        yield ok("message content", "the intent is on")
    else:
        yield skipped(
            "message content",
            "the intent is off, so replies to other members' images do nothing; it can be switched on, on the Bot page",
        )


def _protection(config: Config) -> str:
    listed = "only those in discord.guilds may use it"
    return listed if config.discord.guilds else "limits.daily_budget limits what all of them spend"


def _about_servers(guilds: list[dict[str, Any]], link: str) -> Iterable[CheckLine]:
    if not guilds:
        yield failed("servers", "the bot is in no server", f"open {link}")
        return
    lacking = [(guild, missing) for guild in guilds if (missing := missing_permissions(int(guild["permissions"])))]
    for guild, missing in lacking[:_SHOWN]:
        fix = f"allow that for the bot's role, or open {link}&guild_id={guild['id']}"
        yield failed(f"server {clean(str(guild['name']))}", f"missing: {', '.join(missing)}", fix)
    if len(lacking) > _SHOWN:
        yield failed("servers", f"permissions are missing in {len(lacking) - _SHOWN:,} more", "see those above")
    fine = len(guilds) - len(lacking)
    if fine:
        yield ok("servers", f"the bot has all the permissions it needs in {fine:,} of {len(guilds):,}")


def _about_own_server(guilds: list[dict[str, Any]], config: Config, link: str) -> Iterable[CheckLine]:
    own = config.operator.guild
    if not own:
        yield skipped("operator.guild", "not set, so no server has /ops: enter your own server's id")
        return
    names = [clean(str(guild["name"])) for guild in guilds if int(guild["id"]) == own]
    if names:
        yield ok("operator.guild", f"{names[0]} has /ops")
    else:
        fix = f"open {link}&guild_id={own}, or correct the id"
        yield failed("operator.guild", f"the bot is not in the server {own}", fix)


def _about_listed(guilds: list[dict[str, Any]], config: Config) -> Iterable[CheckLine]:
    """About servers that only one of Discord and discord.guilds knows; neither is a failure."""
    allowed = options.access(config).guilds
    if not allowed:
        return
    joined = {int(guild["id"]): clean(str(guild["name"])) for guild in guilds}
    if leaving := [f"{name} ({guild})" for guild, name in joined.items() if guild not in allowed]:
        yield skipped("discord.guilds", f"the bot will leave servers that are not listed: {some(leaving, _NAMED)}")
    if absent := [str(guild) for guild in config.discord.guilds if guild not in joined]:
        yield skipped("discord.guilds", f"listed, but the bot is not in them: {some(absent, _NAMED)}")


async def _about_alert_channel(rest: DiscordRest, config: Config, bot_id: int) -> CheckLine:
    name, channel_id = "operator.alert_channel", config.operator.alert_channel
    if not channel_id:
        return skipped(name, "not set: alerts go to the application's owner by direct message")
    try:
        channel: dict[str, Any] = await rest.get(f"/channels/{channel_id}")
        is_thread = channel["type"] in _THREADS
        # A thread has its parent's permissions.
        place: dict[str, Any] = await rest.get(f"/channels/{channel['parent_id']}") if is_thread else channel
        guild: dict[str, Any] = await rest.get(f"/guilds/{channel['guild_id']}")
        member: dict[str, Any] = await rest.get(f"/guilds/{channel['guild_id']}/members/{bot_id}")
    except DiscordRefused as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return failed(name, f"there is no channel {channel_id}", "copy the channel's id again")
        return failed(name, f"the bot cannot see {channel_id}", "allow the bot View Channel and Send Messages there")
    missing = missing_permissions(
        _permissions_in(place, guild, member, bot_id), _TO_POST_IN_THREAD if is_thread else _TO_POST
    )
    shown = f"#{clean(str(channel.get('name')))}"
    if missing:
        return failed(name, f"in {shown} the bot may not: {', '.join(missing)}", "allow that for the bot's role there")
    return ok(name, f"{shown}: the bot may post there")


def _permissions_in(channel: dict[str, Any], guild: dict[str, Any], member: dict[str, Any], bot_id: int) -> int:
    """As in https://discord.com/developers/docs/topics/permissions#permission-overwrites."""
    roles = {str(guild["id"]), *member["roles"]}
    granted = 0
    for role in guild["roles"]:
        granted |= int(role["permissions"]) if role["id"] in roles else 0
    overwrites = {entry["id"]: entry for entry in channel.get("permission_overwrites", ())}
    for ids in ({str(guild["id"])}, roles - {str(guild["id"])}, {str(bot_id)}):
        allow = deny = 0
        for entry in (overwrites[each] for each in ids if each in overwrites):
            allow, deny = allow | int(entry["allow"]), deny | int(entry["deny"])
        granted = granted & ~deny | allow
    return granted
