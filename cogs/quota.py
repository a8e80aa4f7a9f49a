"""/quota: who may spend how much, and where it went. For those who manage the server; every answer is private."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.credits import ZERO, Account, Allowance, Credits, Period, Requester
from bot.domain.errors import CreditsMissing, LimitNotChosen, NothingToChange, UnknownZone
from bot.domain.ids import ChannelId, GuildId, RoleId, UserId
from bot.domain.rules import ReplyMode, Rule, Scope, ServerSettings, zone_names
from bot.media.spending_chart import ChartRenderer
from bot.quota.service import Change, QuotaService
from bot.ui.cards import BLURPLE, finished_view
from bot.ui.interactions import check_manager, edit_answer, manages_by_role, requester_of
from bot.ui.panels import ledger_view, names_of
from bot.ui.server_settings import AnyChannel, with_channels, with_reports
from bot.ui.spending_report import show_report
from bot.ui.texts import commands as texts
from bot.ui.texts import quota as answers
from bot.ui.texts import server_settings
from bot.ui.texts.amounts import AMOUNT_MAX

_Credits = app_commands.Range[float, 0.0, float(AMOUNT_MAX)]
_Grant = app_commands.Range[float, 0.001, float(AMOUNT_MAX)]
_Reason = app_commands.Range[str, 1, 200]
_CHOICES_MAX: Final = 25
"""Discord's limit on an autocompletion."""

_limit_options = {"credits": texts.QUOTA_CREDITS, "period": texts.QUOTA_PERIOD}
_period_choices = app_commands.choices(
    period=[app_commands.Choice(name=name, value=value) for value, name in texts.PERIOD_CHOICES.items()]
)


@final
@app_commands.guild_only()
@app_commands.allowed_installs(guilds=True, users=False)
@app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
@app_commands.default_permissions(manage_guild=True)
class Quota(commands.GroupCog, group_name="quota", group_description=texts.QUOTA):
    """Commands for quota managers. Each checks who uses it: Discord's own permissions only hide them from others."""

    def __init__(self, quotas: QuotaService, chart_renderer: ChartRenderer) -> None:
        self._quotas = quotas
        self._chart_renderer = chart_renderer

    @app_commands.command(description=texts.QUOTA_SHOW)
    @app_commands.describe(member=texts.QUOTA_MEMBER)
    async def show(self, interaction: discord.Interaction[Any], member: discord.Member | None = None) -> None:
        """A member's allowance and balance (one's own unless another is named), and the limits over all."""
        guild_id = await self._admit(interaction)
        asker = requester_of(member or interaction.user, guild_id)
        overview = await self._quotas.overview(asker)
        quota = overview.quota
        lines = [answers.member_quota(asker.account.user_id, quota.rule), answers.balance(quota.balance)]
        await _answer(interaction, [*lines, *map(answers.cap, overview.caps)])

    @app_commands.command(name="set-default", description=texts.QUOTA_SET_DEFAULT)
    @app_commands.describe(**_limit_options)
    @_period_choices
    async def set_default(
        self, interaction: discord.Interaction[Any], period: str, credits: _Credits | None = None
    ) -> None:
        """The limit for every member without a nearer one."""
        await self._set_rule(interaction, Scope.SERVER, 0, credits, period)

    @app_commands.command(name="set-role", description=texts.QUOTA_SET_ROLE)
    @app_commands.describe(role=texts.QUOTA_ROLE, **_limit_options)
    @_period_choices
    async def set_role(
        self, interaction: discord.Interaction[Any], role: discord.Role, period: str, credits: _Credits | None = None
    ) -> None:
        """The limit for members with a role."""
        await self._set_rule(interaction, Scope.ROLE, role.id, credits, period)

    @app_commands.command(name="set-member", description=texts.QUOTA_SET_MEMBER)
    @app_commands.describe(member=texts.QUOTA_MEMBER, **_limit_options)
    @_period_choices
    async def set_member(
        self,
        interaction: discord.Interaction[Any],
        member: discord.Member,
        period: str,
        credits: _Credits | None = None,
    ) -> None:
        """A member's personal limit."""
        await self._set_rule(interaction, Scope.MEMBER, member.id, credits, period)

    @app_commands.command(description=texts.QUOTA_POOL)
    @app_commands.describe(**_limit_options)
    @_period_choices
    async def pool(self, interaction: discord.Interaction[Any], period: str, credits: _Credits | None = None) -> None:
        """What all members together may spend; the operator's limit applies as well."""
        await self._set_rule(interaction, Scope.POOL, 0, credits, period)

    @app_commands.command(description=texts.QUOTA_CLEAR)
    @app_commands.describe(member=texts.QUOTA_MEMBER, role=texts.QUOTA_ROLE, server=texts.CLEAR_SERVER)
    @app_commands.choices(
        server=[app_commands.Choice(name=name, value=scope.value) for scope, name in texts.SERVER_LIMITS.items()]
    )
    async def clear(
        self,
        interaction: discord.Interaction[Any],
        member: discord.User | None = None,
        role: discord.Role | None = None,
        server: str | None = None,
    ) -> None:
        """Remove the limits that are named, and say what applies instead."""
        guild_id = await self._admit(interaction)
        anybody = Requester(Account(UserId(0), guild_id))
        named = [(Scope.MEMBER, member.id, requester_of(member, guild_id))] if member else []
        named += [(Scope.ROLE, role.id, anybody)] if role else []
        named += [(Scope(server), 0, anybody)] if server else []
        if not named:
            raise LimitNotChosen
        lines: list[str] = []
        for scope, subject, affected in named:
            removed = await self._quotas.remove_rule(_change(interaction, guild_id), scope, subject)
            overview = await self._quotas.overview(affected)
            note = answers.rule_removed(scope, subject)
            lines += [answers.now_applies(note, scope, overview.quota.rule)] if removed else [answers.NO_RULE]
            lines += map(answers.cap, overview.caps if removed and scope is Scope.POOL else ())
        await _answer(interaction, lines)

    @app_commands.command(description=texts.QUOTA_GRANT)
    @app_commands.describe(member=texts.QUOTA_MEMBER, credits=texts.GRANT_CREDITS, reason=texts.GRANT_REASON)
    async def grant(
        self, interaction: discord.Interaction[Any], member: discord.Member, credits: _Grant, reason: _Reason
    ) -> None:
        """Bonus credits."""
        guild_id = await self._admit(interaction)
        amount = _exact(credits)
        await self._quotas.grant(_change(interaction, guild_id, reason), UserId(member.id), amount)
        granted, hidden = (answers.granted(UserId(member.id), amount, text) for text in (reason, answers.REASON_HIDDEN))
        await _answer(interaction, [granted], hidden)

    @app_commands.command(description=texts.QUOTA_RESET)
    @app_commands.describe(member=texts.QUOTA_MEMBER)
    async def reset(self, interaction: discord.Interaction[Any], member: discord.Member) -> None:
        """What the member spent in this period no longer counts."""
        guild_id = await self._admit(interaction)
        await self._quotas.reset(_change(interaction, guild_id), UserId(member.id))
        await _answer(interaction, [answers.reset(UserId(member.id))])

    @app_commands.command(description=texts.QUOTA_REPORT)
    @app_commands.describe(period=texts.REPORT_PERIOD)
    @app_commands.choices(
        period=[app_commands.Choice(name=name, value=period.value) for period, name in texts.REPORT_PERIODS.items()]
    )
    async def report(self, interaction: discord.Interaction[Any], period: str = Period.MONTH.value) -> None:
        """Where the credits went, as a chart and a table."""
        guild_id = await self._admit(interaction)
        report = await self._quotas.report(guild_id, Period(period))
        names = await names_of(interaction.client, guild_id, [member.user_id for member in report.ranking.top])
        csv_file = await self._quotas.report_csv(guild_id, report, names)
        await show_report(interaction, report, csv_file, self._chart_renderer)

    @app_commands.command(description=texts.QUOTA_LOG)
    @app_commands.describe(member=texts.QUOTA_MEMBER)
    async def log(self, interaction: discord.Interaction[Any], member: discord.User | None = None) -> None:
        """The first page of the ledger."""
        guild_id = await self._admit(interaction)
        user = UserId(member.id) if member else None
        page = await self._quotas.log_page(guild_id, user, 0)
        await edit_answer(interaction, lambda words: ledger_view(page, user, 0, words=words))

    @app_commands.command(description=texts.QUOTA_SETTINGS)
    @app_commands.describe(
        timezone=texts.SETTINGS_TIMEZONE,
        allow_channel=texts.SETTINGS_ALLOW_CHANNEL,
        forbid_channel=texts.SETTINGS_FORBID_CHANNEL,
        manager_role=texts.SETTINGS_MANAGER_ROLE,
        requests_channel=texts.SETTINGS_REQUESTS_CHANNEL,
        stop_requests=texts.SETTINGS_STOP_REQUESTS,
        reports_channel=texts.SETTINGS_REPORTS_CHANNEL,
        stop_reports=texts.SETTINGS_STOP_REPORTS,
        replies=texts.SETTINGS_REPLIES,
        manager_limit=texts.SETTINGS_MANAGER_LIMIT,
    )
    @app_commands.choices(
        replies=[app_commands.Choice(name=name, value=mode.value) for mode, name in texts.REPLY_MODES.items()]
    )
    @app_commands.rename(
        allow_channel="allow-channel",
        forbid_channel="forbid-channel",
        manager_role="manager-role",
        requests_channel="requests-channel",
        stop_requests="stop-requests",
        reports_channel="reports-channel",
        stop_reports="stop-reports",
        manager_limit="manager-limit",
    )
    async def settings(
        self,
        interaction: discord.Interaction[Any],
        timezone: str | None = None,
        allow_channel: AnyChannel | None = None,
        forbid_channel: AnyChannel | None = None,
        manager_role: discord.Role | None = None,
        requests_channel: discord.TextChannel | None = None,
        stop_requests: bool = False,
        reports_channel: discord.TextChannel | None = None,
        stop_reports: bool = False,
        replies: app_commands.Choice[str] | None = None,
        manager_limit: _Credits | None = None,
    ) -> None:
        """Change what is named; show all of it."""
        guild_id = await self._admit(interaction)
        if timezone is not None and timezone not in zone_names():
            raise UnknownZone(timezone)

        def change(before: ServerSettings) -> ServerSettings:
            after = with_channels(before, interaction.guild, allow_channel, forbid_channel)
            after = with_reports(after, reports_channel, stop=stop_reports)
            if timezone is not None:
                after = replace(after, zone=timezone)
            if manager_role is not None:
                after = replace(after, manager_role=None if manager_role.is_default() else RoleId(manager_role.id))
            if replies is not None:
                after = replace(after, replies=ReplyMode(replies.value))
            if manager_limit is not None:
                after = replace(after, manager_limit=_exact(manager_limit))
            if stop_requests:
                return replace(after, requests_channel=None)
            return replace(after, requests_channel=ChannelId(requests_channel.id)) if requests_channel else after

        after = await self._quotas.change_settings(_change(interaction, guild_id), change)
        hints = [answers.MANAGER_HINT] if after.manager_role else []
        if reports_channel and reports_channel.permissions_for(reports_channel.guild.default_role).view_channel:
            hints.append(server_settings.REPORTS_PUBLIC)
        await _answer(interaction, [server_settings.settings(after), *hints])

    @settings.autocomplete("timezone")
    async def _zones(self, _: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        part = typed.casefold().replace(" ", "_")
        matching = [zone for zone in zone_names() if part in zone.casefold()]
        return [app_commands.Choice(name=zone, value=zone) for zone in matching[:_CHOICES_MAX]]

    async def _admit(self, interaction: discord.Interaction[Any]) -> GuildId:
        await interaction.response.defer(ephemeral=True, thinking=True)
        return await check_manager(self._quotas, interaction)

    async def _set_rule(
        self, interaction: discord.Interaction[Any], scope: Scope, subject: int, amount: float | None, period: str
    ) -> None:
        guild_id = await self._admit(interaction)
        rule = Rule(scope, subject, _allowance(amount, period))
        await self._quotas.put_rule(_change(interaction, guild_id), rule)
        limits: list[str] = []
        if scope is Scope.POOL:
            # The operator's limit may be lower than the pool: an admin should see that before a member does.
            overview = await self._quotas.overview(requester_of(interaction.user, guild_id))
            limits = [answers.cap(cap) for cap in overview.caps]
        await _answer(interaction, [answers.rule_set(rule), *limits, answers.IN_PROGRESS_HINT])


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


def _exact(amount: float) -> Credits:
    return Credits(str(round(amount, 3)))


def _change(interaction: discord.Interaction[Any], guild_id: GuildId, note: str = "") -> Change:
    return Change(guild_id, UserId(interaction.user.id), note, by_role=manages_by_role(interaction))


async def _answer(interaction: discord.Interaction[Any], lines: Sequence[str], hidden: str = "") -> None:
    """Show the lines, or ``hidden``, which has no words of members, if Discord refuses those."""
    shown = {True: "\n".join(lines), False: hidden or "\n".join(lines)}
    await edit_answer(interaction, lambda words: finished_view(BLURPLE, discord.ui.TextDisplay(shown[words])))


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    await bot.add_cog(Quota(bot.services.quotas, bot.services.chart_renderer))
