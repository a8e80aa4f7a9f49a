"""/quota: who may spend how much, and where it went. For those who manage the server; every answer is private."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, final
from zoneinfo import available_timezones

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.credits import ZERO, Allowance, Credits, Period
from bot.domain.errors import CreditsMissing, NothingToChange, UnknownZone
from bot.domain.ids import ChannelId, GuildId, RoleId, UserId
from bot.domain.rules import Rule, Scope, ServerSettings
from bot.media.spending_chart import ChartRenderer
from bot.quota.service import Change, QuotaService
from bot.ui.cards import BLURPLE, finished_view
from bot.ui.interactions import requester_of
from bot.ui.ledger import ledger_view
from bot.ui.names import names_of
from bot.ui.permissions import check_manager
from bot.ui.spending_report import report_message
from bot.ui.texts import quota as texts
from bot.ui.texts.statement import allowance

_Credits = app_commands.Range[float, 0.0, 1_000_000.0]
_Grant = app_commands.Range[float, 0.001, 1_000_000.0]
_Reason = app_commands.Range[str, 1, 200]
_Channel = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.ForumChannel
_RequestsChannel = discord.TextChannel
_CHOICES_SHOWN = 25

_periods = app_commands.choices(
    period=[app_commands.Choice(name=name, value=value) for value, name in texts.CHOICES.items()]
)


@final
@app_commands.guild_only()
@app_commands.default_permissions(manage_guild=True)
class Quota(commands.GroupCog, group_name="quota", group_description=texts.COMMAND_QUOTA):
    """The admins' commands. Each checks for itself who uses it: what Discord shows to whom is only a courtesy."""

    def __init__(self, quotas: QuotaService, chart_renderer: ChartRenderer) -> None:
        self._quotas = quotas
        self._chart_renderer = chart_renderer
        # Names that stand for this machine's own settings are no zones for a server.
        self._timezones = sorted(available_timezones() - {"localtime", "Factory"})

    @app_commands.command(description=texts.COMMAND_SHOW)
    @app_commands.describe(member=texts.OPTION_MEMBER)
    async def show(self, interaction: discord.Interaction[Any], member: discord.Member | None = None) -> None:
        """A member's rule and balance (one's own unless another is named), and the limits over all."""
        guild_id = await self._admit(interaction)
        asker = requester_of(member or interaction.user, guild_id)
        found = await self._quotas.overview(asker)
        rule, balance = found.quota.rule, found.quota.balance
        why = texts.because(rule)
        lines = [texts.standing(asker.account.user_id, rule, why), allowance(balance), *map(texts.cap, found.caps)]
        await _answer(interaction, lines)

    @app_commands.command(name="set-default", description=texts.COMMAND_SET_DEFAULT)
    @app_commands.describe(credits=texts.OPTION_CREDITS, period=texts.OPTION_PERIOD)
    @_periods
    async def set_default(
        self, interaction: discord.Interaction[Any], period: str, credits: _Credits | None = None
    ) -> None:
        """The rule for every member without a nearer one."""
        await self._put(interaction, Scope.SERVER, 0, credits, period)

    @app_commands.command(name="set-role", description=texts.COMMAND_SET_ROLE)
    @app_commands.describe(role=texts.OPTION_ROLE, credits=texts.OPTION_CREDITS, period=texts.OPTION_PERIOD)
    @_periods
    async def set_role(
        self, interaction: discord.Interaction[Any], role: discord.Role, period: str, credits: _Credits | None = None
    ) -> None:
        """The rule for members with a role."""
        await self._put(interaction, Scope.ROLE, role.id, credits, period)

    @app_commands.command(name="set-member", description=texts.COMMAND_SET_MEMBER)
    @app_commands.describe(member=texts.OPTION_MEMBER, credits=texts.OPTION_CREDITS, period=texts.OPTION_PERIOD)
    @_periods
    async def set_member(
        self,
        interaction: discord.Interaction[Any],
        member: discord.Member,
        period: str,
        credits: _Credits | None = None,
    ) -> None:
        """A member's own rule."""
        await self._put(interaction, Scope.MEMBER, member.id, credits, period)

    @app_commands.command(description=texts.COMMAND_POOL)
    @app_commands.describe(credits=texts.OPTION_CREDITS, period=texts.OPTION_PERIOD)
    @_periods
    async def pool(self, interaction: discord.Interaction[Any], period: str, credits: _Credits | None = None) -> None:
        """What all members together may spend; the operator's limit holds besides."""
        await self._put(interaction, Scope.POOL, 0, credits, period)

    @app_commands.command(description=texts.COMMAND_CLEAR)
    @app_commands.describe(member=texts.OPTION_MEMBER, role=texts.OPTION_ROLE)
    async def clear(
        self,
        interaction: discord.Interaction[Any],
        member: discord.User | None = None,
        role: discord.Role | None = None,
    ) -> None:
        """Remove rules: of a member, of a role, of both; of the server when neither is named."""
        guild_id = await self._admit(interaction)
        whom = [(Scope.MEMBER, member.id)] if member else []
        whom += [(Scope.ROLE, role.id)] if role else []
        lines: list[str] = []
        for scope, subject in whom or [(Scope.SERVER, 0)]:
            words = texts.rule_removed(Rule(scope, subject, Allowance(None, Period.DAY)))
            removed = await self._quotas.remove_rule(_change(interaction, guild_id, words), scope, subject)
            lines.append(words if removed else texts.NO_RULE)
        await _answer(interaction, lines)

    @app_commands.command(description=texts.COMMAND_GRANT)
    @app_commands.describe(member=texts.OPTION_MEMBER, credits=texts.OPTION_GRANT, reason=texts.OPTION_REASON)
    async def grant(
        self, interaction: discord.Interaction[Any], member: discord.Member, credits: _Grant, reason: _Reason
    ) -> None:
        """Bonus credits."""
        guild_id = await self._admit(interaction)
        amount = _exact(credits)
        await self._quotas.grant(_change(interaction, guild_id, reason), UserId(member.id), amount)
        await _answer(interaction, [texts.granted(UserId(member.id), amount, reason)])

    @app_commands.command(description=texts.COMMAND_RESET)
    @app_commands.describe(member=texts.OPTION_MEMBER)
    async def reset(self, interaction: discord.Interaction[Any], member: discord.Member) -> None:
        """What the member spent in this period counts no more."""
        guild_id = await self._admit(interaction)
        words = texts.reset(UserId(member.id))
        await self._quotas.reset(_change(interaction, guild_id, words), UserId(member.id))
        await _answer(interaction, [words])

    @app_commands.command(description=texts.COMMAND_REPORT)
    @app_commands.describe(period=texts.OPTION_REPORT_PERIOD)
    @app_commands.choices(
        period=[app_commands.Choice(name=name, value=period.value) for period, name in texts.REPORT_PERIODS.items()]
    )
    async def report(self, interaction: discord.Interaction[Any], period: str = Period.MONTH.value) -> None:
        """Where the credits went: a chart, totals in words, and a CSV file."""
        guild_id = await self._admit(interaction)
        report = await self._quotas.report(guild_id, Period(period))
        names = await names_of(interaction.client, guild_id, [one.user_id for one in report.top])
        server = interaction.guild.name if interaction.guild else ""
        message = await report_message(report, names, server, self._chart_renderer)
        await interaction.edit_original_response(
            view=message.view, attachments=message.files, allowed_mentions=discord.AllowedMentions.none()
        )

    @app_commands.command(description=texts.COMMAND_LOG)
    @app_commands.describe(member=texts.OPTION_MEMBER)
    async def log(self, interaction: discord.Interaction[Any], member: discord.User | None = None) -> None:
        """The ledger, in pages."""
        guild_id = await self._admit(interaction)
        of = UserId(member.id) if member else None
        page = await self._quotas.log_page(guild_id, of, 0)
        await interaction.edit_original_response(view=ledger_view(page, of, 0))

    @app_commands.command(description=texts.COMMAND_SETTINGS)
    @app_commands.describe(
        timezone=texts.OPTION_TIMEZONE,
        allow_channel=texts.OPTION_ALLOW_CHANNEL,
        forbid_channel=texts.OPTION_FORBID_CHANNEL,
        manager_role=texts.OPTION_MANAGER_ROLE,
        requests_channel=texts.OPTION_REQUESTS_CHANNEL,
        stop_requests=texts.OPTION_STOP_REQUESTS,
    )
    @app_commands.rename(
        allow_channel="allow-channel",
        forbid_channel="forbid-channel",
        manager_role="manager-role",
        requests_channel="requests-channel",
        stop_requests="stop-requests",
    )
    async def settings(
        self,
        interaction: discord.Interaction[Any],
        timezone: str | None = None,
        allow_channel: _Channel | None = None,
        forbid_channel: _Channel | None = None,
        manager_role: discord.Role | None = None,
        requests_channel: _RequestsChannel | None = None,
        stop_requests: bool = False,
    ) -> None:
        """Change what is named; show all of it."""
        guild_id = await self._admit(interaction)
        if timezone is not None and timezone not in self._timezones:
            raise UnknownZone(timezone)

        def change(before: ServerSettings) -> ServerSettings:
            after = before if timezone is None else replace(before, zone=timezone)
            if allow_channel is not None:
                after = replace(after, channels=after.channels | {ChannelId(allow_channel.id)})
            if forbid_channel is not None:
                left = _existing(interaction, after.channels) - {ChannelId(forbid_channel.id)}
                after = replace(after, channels=left)
            if manager_role is not None:
                named = None if manager_role.is_default() else RoleId(manager_role.id)
                after = replace(after, manager_role=named)
            if stop_requests or requests_channel is not None:
                channel = ChannelId(requests_channel.id) if requests_channel and not stop_requests else None
                after = replace(after, requests_channel=channel)
            return after

        actor = UserId(interaction.user.id)
        after = await self._quotas.change_settings(guild_id, actor, change, texts.settings_changed)
        hint = [texts.MANAGER_HINT] if after.manager_role else []
        await _answer(interaction, [texts.settings(after), *hint])

    @settings.autocomplete("timezone")
    async def _zones(self, _: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        wanted = typed.casefold().replace(" ", "_")
        found = [zone for zone in self._timezones if wanted in zone.casefold()]
        return [app_commands.Choice(name=zone, value=zone) for zone in found[:_CHOICES_SHOWN]]

    async def _admit(self, interaction: discord.Interaction[Any]) -> GuildId:
        await interaction.response.defer(ephemeral=True, thinking=True)
        return await check_manager(self._quotas, interaction)

    async def _put(
        self, interaction: discord.Interaction[Any], scope: Scope, subject: int, amount: float | None, period: str
    ) -> None:
        guild_id = await self._admit(interaction)
        rule = Rule(scope, subject, _allowance(amount, period))
        words = texts.rule_set(rule)
        await self._quotas.put_rule(_change(interaction, guild_id, words), rule)
        limits: list[str] = []
        if scope is Scope.POOL:
            # The operator's limit holds whatever the pool says: better seen now than by the first one refused.
            overview = await self._quotas.overview(requester_of(interaction.user, guild_id))
            limits = [texts.cap(cap) for cap in overview.caps]
        await _answer(interaction, [words, *limits, texts.RUNNING_HINT])


def _allowance(amount: float | None, period: str) -> Allowance:
    match period:
        case texts.UNLIMITED:
            return Allowance(None, Period.MONTH)
        case texts.NONE:
            return Allowance(ZERO, Period.DAY)
        case _ if period not in set(Period):
            raise NothingToChange
        case _ if amount is None:
            raise CreditsMissing(period)
        case _:
            return Allowance(_exact(amount), Period(period))


def _existing(interaction: discord.Interaction[Any], channels: frozenset[ChannelId]) -> frozenset[ChannelId]:
    """Without those that were deleted: nobody can choose them any more, to take them off the list."""
    guild = interaction.guild
    if guild is None or guild.unavailable:
        return channels
    return frozenset(one for one in channels if guild.get_channel(one) is not None)


def _exact(amount: float) -> Credits:
    return Credits(str(round(amount, 3)))


def _change(interaction: discord.Interaction[Any], guild_id: GuildId, words: str) -> Change:
    return Change(guild_id, UserId(interaction.user.id), words)


async def _answer(interaction: discord.Interaction[Any], lines: Sequence[str]) -> None:
    view = finished_view(BLURPLE, discord.ui.TextDisplay("\n".join(lines)))
    await interaction.edit_original_response(view=view, allowed_mentions=discord.AllowedMentions.none())


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    await bot.add_cog(Quota(bot.services.quotas, ChartRenderer()))
