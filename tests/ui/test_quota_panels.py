"""The texts of /balance and /quota at their longest: within Discord's limits, and every piece in its place."""

from datetime import UTC, datetime
from decimal import Decimal

import discord
import pytest

from bot.domain.credits import Allowance, Balance, Movement, Period
from bot.domain.ids import ChannelId, RoleId, UserId
from bot.domain.ledger import (
    LedgerEntry,
    RecordedChange,
    RequestApproved,
    RequestDenied,
    RuleRemoved,
    RuleSet,
    SettingsChanged,
)
from bot.domain.rules import Cap, CapState, ReplyMode, Rule, Scope, ServerSettings
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.quota.service import PAGE, LogPage
from bot.ui.panels import ledger_view
from bot.ui.texts import quota, server_settings

NOW = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
WHEN = f"<t:{int(NOW.timestamp())}:R>"
LARGEST = (1 << 63) - 1
MEMBER, ADMIN = UserId(LARGEST), UserId(LARGEST - 1)
SETTINGS = Settings(Model.FLEX, AspectRatio.SQUARE, Resolution.TWO_K)
CHANNELS = frozenset(ChannelId(LARGEST - number) for number in range(25))
TEXT_MAX = 4000
"""Characters of all texts in one message of Components V2 together (Discord's documentation on components)."""


def entry(
    movement: Movement,
    amount: Decimal = Decimal(0),
    note: str = "",
    settings: Settings | None = None,
    change: RecordedChange | None = None,
) -> LedgerEntry:
    return LedgerEntry(NOW, movement, amount, settings, MEMBER, ADMIN, note, change)


LONGEST = [
    entry(Movement.GRANT, Decimal("1000000.125"), "*" * 200),
    entry(Movement.GRANT, Decimal("1000000.125"), "word " * 40),
    entry(Movement.GRANT, Decimal(1), "two\nlines\n# here"),
    entry(Movement.REFUND, Decimal("9999.125"), settings=SETTINGS),
    entry(Movement.RESERVE, Decimal("-9999.125"), settings=SETTINGS),
    entry(Movement.LATE, Decimal("-9999.125"), settings=SETTINGS),
    entry(Movement.RESET),
    entry(
        Movement.RULE,
        change=RuleSet(Rule(Scope.ROLE, LARGEST, Allowance(Decimal("999999.125"), Period.MONTH))),
    ),
    entry(
        Movement.RULE,
        change=SettingsChanged(
            ServerSettings(),
            ServerSettings("America/Argentina/ComodRivadavia", RoleId(LARGEST), ChannelId(LARGEST), CHANNELS),
        ),
    ),
]


@pytest.mark.parametrize("longest", LONGEST, ids=lambda entry: entry.movement)
def test_the_longest_page_of_the_log_fits(longest: LedgerEntry) -> None:
    assert "\n" not in quota.log_line(longest)
    for number in (0, 1, LARGEST):
        view = ledger_view(LogPage((longest,) * PAGE, more=True), MEMBER, number)
        assert view.content_length() <= TEXT_MAX
        ids = [item.custom_id for item in view.walk_children() if isinstance(item, discord.ui.Button)]
        assert len(ids) == len(set(ids)) == 2
        assert all(custom_id and len(custom_id) <= 100 for custom_id in ids)


@pytest.mark.parametrize(
    ("shown", "event"),
    [
        (
            entry(Movement.RULE, change=RuleSet(Rule(Scope.SERVER, 0, Allowance(Decimal(5), Period.DAY)))),
            "members without a limit of their own now get 5 credits a day",
        ),
        (entry(Movement.RULE, change=RuleRemoved(Scope.ROLE, 7)), "limit for <@&7> removed"),
        (
            entry(Movement.RULE, change=SettingsChanged(ServerSettings(), ServerSettings("Asia/Tokyo"))),
            "time zone: **Asia/Tokyo**",
        ),
        (
            entry(Movement.RULE, change=RequestDenied(MEMBER, ADMIN)),
            f"<@{MEMBER}>'s request for more credits was declined",
        ),
        (entry(Movement.RULE, note="An old sentence: **50** a day"), "An old sentence: **50** a day"),
        (
            entry(Movement.GRANT, Decimal(2), change=RequestApproved(MEMBER, Decimal(2), ADMIN)),
            f"<@{MEMBER}> · +2 bonus credits: approved request for more credits",
        ),
    ],
    ids=["rule set", "rule removed", "settings", "denied", "from before", "approved"],
)
def test_what_was_recorded_is_said_in_the_log(shown: LedgerEntry, event: str) -> None:
    assert quota.log_line(shown) == f"-# <t:{int(NOW.timestamp())}:f> · {event} · by <@{ADMIN}>"


def test_settings_with_many_channels_fit() -> None:
    settings = server_settings.settings(ServerSettings("Europe/Berlin", RoleId(LARGEST), ChannelId(LARGEST), CHANNELS))

    assert len(settings) + len(quota.MANAGER_HINT) <= TEXT_MAX
    assert settings.count("<#") == 26


def test_what_was_changed_in_the_settings_is_told_and_nothing_else() -> None:
    before = ServerSettings(channels=CHANNELS)
    channels = CHANNELS - {ChannelId(LARGEST)} | {ChannelId(7)}
    after = ServerSettings("Asia/Tokyo", channels=channels, replies=ReplyMode.EDIT)

    assert server_settings.settings_changed(before, before) == ""
    assert server_settings.settings_changed(before, after) == (
        "time zone: **Asia/Tokyo** · replies without a mention: edit at once"
        f" · channels added: <#7> · channels removed: <#{LARGEST}>"
    )


@pytest.mark.parametrize(
    ("scope", "written", "removed", "source"),
    [
        (Scope.MEMBER, "<@7> now gets 5 credits a day", "<@7>'s personal limit removed", "Personal limit"),
        (
            Scope.ROLE,
            "Members with <@&7> now get 5 credits a day",
            "Limit for <@&7> removed",
            "Limit from <@&7>, the largest among their roles",
        ),
        (
            Scope.SERVER,
            "Members without a limit of their own now get 5 credits a day",
            "Server limit removed",
            "This server's default",
        ),
    ],
)
def test_every_limit_says_for_whom_and_whose_it_is(scope: Scope, written: str, removed: str, source: str) -> None:
    rule = Rule(scope, 7, Allowance(Decimal(5), Period.DAY))

    assert (quota.rule_set(rule), quota.rule_removed(scope, 7)) == (written, removed)
    assert quota.allowance_source(rule, own=False) == source


def test_a_server_pool_is_no_members_limit() -> None:
    pool = Rule(Scope.POOL, 7, Allowance(Decimal(5), Period.DAY))

    assert quota.rule_set(pool) == "Server pool set to 5 credits a day"


@pytest.mark.parametrize(
    ("cap", "name"),
    [
        (Cap.POOL, "Server pool"),
        (Cap.SERVER_LIMIT, "Bot owner's limit for this server"),
        (Cap.BUDGET, "Bot owner's daily budget"),
    ],
)
def test_every_cap_is_named(cap: Cap, name: str) -> None:
    state = CapState(cap, Allowance(Decimal(500), Period.MONTH), Decimal("120.5"), NOW)

    assert quota.cap(state) == f"{name}: **379.5** of 500 credits a month left · refills {WHEN}"


@pytest.mark.parametrize(
    ("allowance", "spent", "bonus", "line"),
    [
        (Allowance(Decimal(50), Period.WEEK), "12.5", "0", f"**37.5** of 50 credits left this week · refills {WHEN}"),
        (
            Allowance(Decimal(1), Period.DAY),
            "2",
            "20",
            f"**0** of 1 credit left today · refills {WHEN} · plus **20 bonus credits**",
        ),
        (
            Allowance(None, Period.MONTH),
            "12",
            "1",
            "**Unlimited** · 12 credits spent this month · plus **1 bonus credit**",
        ),
        (Allowance(Decimal(0), Period.DAY), "0", "0", "**No allowance**"),
    ],
)
def test_a_balance_says_what_is_left(allowance: Allowance, spent: str, bonus: str, line: str) -> None:
    assert quota.balance(Balance(allowance, Decimal(spent), NOW, Decimal(bonus))) == line


@pytest.mark.parametrize(
    ("movement", "amount", "line"),
    [
        (Movement.RESERVE, "-14", "−14 spent · FLUX.2 Flex 2K"),
        (Movement.REFUND, "2.5", "+2.5 refunded · FLUX.2 Flex 2K"),
        (Movement.GOODWILL, "24", "+24 refunded · FLUX.2 Flex 2K"),
        (Movement.GRANT, "1", "+1 bonus credit: a gift"),
        (Movement.RESET, "0", "allowance reset by an admin"),
    ],
)
def test_recent_activity_has_its_sign(movement: Movement, amount: str, line: str) -> None:
    assert quota.activity(entry(movement, Decimal(amount), "a gift", SETTINGS)) == f"{line} · {WHEN}"
