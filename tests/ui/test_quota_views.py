"""The messages of /quota at their longest: within Discord's limits, and every word in its place."""

from datetime import UTC, datetime
from decimal import Decimal

import discord
import pytest

from bot.domain.credits import Allowance, Balance, LedgerEntry, Movement, Period
from bot.domain.ids import ChannelId, CreditRequestId, RoleId, UserId
from bot.domain.rules import Cap, CapState, Rule, Scope, ServerSettings
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.quota.service import PAGE, LogPage
from bot.ui.buttons import ask_button, decision_buttons
from bot.ui.custom_ids import Action, CustomId
from bot.ui.ledger import ledger_view
from bot.ui.modals import amount_modal
from bot.ui.texts import quota, statement

NOW = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
LARGEST = (1 << 63) - 1
SOMEBODY = UserId(LARGEST)
MADE = Settings(Model.FLEX, AspectRatio.SQUARE, Resolution.TWO_K)
CHANNELS = frozenset(ChannelId(LARGEST - number) for number in range(25))
TEXT_MAX = 4000
"""Characters of all texts in one message of Components V2 together (Discord's documentation on components)."""


def entry(
    movement: Movement, amount: Decimal = Decimal(0), note: str = "", made: Settings | None = None
) -> LedgerEntry:
    return LedgerEntry(NOW, movement, amount, made, SOMEBODY, UserId(LARGEST - 1), note)


LONGEST = [
    entry(Movement.GRANT, Decimal("1000000.125"), "*" * 200),
    entry(Movement.GRANT, Decimal("1000000.125"), "word " * 40),
    entry(Movement.REFUND, Decimal("9999.125"), made=MADE),
    entry(Movement.RESERVE, Decimal("-9999.125"), made=MADE),
    entry(Movement.RESET, note=quota.reset(SOMEBODY)),
    entry(
        Movement.RULE, note=quota.rule_set(Rule(Scope.ROLE, LARGEST, Allowance(Decimal("999999.125"), Period.MONTH)))
    ),
    entry(
        Movement.RULE,
        note=quota.settings_changed(
            ServerSettings(),
            ServerSettings(
                "America/Argentina/ComodRivadavia", RoleId(LARGEST), ChannelId(LARGEST), frozenset({ChannelId(1)})
            ),
        ),
    ),
]


@pytest.mark.parametrize("longest", LONGEST, ids=lambda one: one.movement)
@pytest.mark.parametrize("number", [0, 1, LARGEST])
def test_the_longest_page_of_the_ledger_fits(longest: LedgerEntry, number: int) -> None:
    view = ledger_view(LogPage((longest,) * PAGE, more=True), SOMEBODY, number)

    assert view.content_length() <= TEXT_MAX
    ids = [item.custom_id for item in view.walk_children() if isinstance(item, discord.ui.Button)]
    assert len(ids) == len(set(ids)) == 2
    assert all(custom_id and len(custom_id) <= 100 for custom_id in ids)


def test_a_line_of_the_ledger_is_one_line() -> None:
    for longest in [*LONGEST, entry(Movement.GRANT, Decimal(1), "two\nlines\n# here")]:
        assert "\n" not in quota.log_line(longest)


def test_settings_with_many_channels_fit() -> None:
    words = quota.settings(ServerSettings("Europe/Berlin", RoleId(LARGEST), ChannelId(LARGEST), CHANNELS))

    assert len(words) + len(quota.MANAGER_HINT) <= TEXT_MAX
    assert words.count("<#") == 26


def test_what_was_changed_in_the_settings_is_told_and_nothing_else() -> None:
    before = ServerSettings(channels=CHANNELS)
    after = ServerSettings("Asia/Tokyo", channels=CHANNELS - {ChannelId(LARGEST)} | {ChannelId(7)})

    assert quota.settings_changed(before, before) == ""
    assert quota.settings_changed(before, after) == (
        f"Time zone: **Asia/Tokyo** · Channels allowed: <#7> · Channels no longer on the list: <#{LARGEST}>"
    )


@pytest.mark.parametrize("action", Action)
def test_every_custom_id_fits_and_is_found_again(action: Action) -> None:
    for custom_id in (CustomId(action, LARGEST, LARGEST), CustomId(action, LARGEST), CustomId(action, 0)):
        assert len(str(custom_id)) <= 100
        assert CustomId.parse(str(custom_id)) == custom_id


def test_buttons_carry_whom_and_what_they_are_for() -> None:
    ask = ask_button(SOMEBODY)
    approve, deny = decision_buttons(CreditRequestId(LARGEST))

    assert [CustomId.parse(one.custom_id or "") for one in (ask, approve, deny)] == [
        CustomId(Action.ASK, LARGEST),
        CustomId(Action.APPROVE, LARGEST),
        CustomId(Action.DENY, LARGEST),
    ]
    assert [one.label for one in (ask, approve, deny)] == ["Ask for more", "Approve", "Deny"]


def test_the_modal_for_an_amount_fits() -> None:
    modal = amount_modal(CustomId(Action.APPROVE, LARGEST), quota.AMOUNT_TITLE, quota.AMOUNT_LABEL)

    assert len(modal.title) <= 45
    assert len(quota.AMOUNT_LABEL) <= 45
    assert len(modal.custom_id) <= 100


@pytest.mark.parametrize("scope", Scope)
def test_every_rule_says_for_whom_and_why(scope: Scope) -> None:
    rule = Rule(scope, LARGEST, Allowance(Decimal(5), Period.DAY))

    assert quota.rule_set(rule).endswith(": 5 credits a day")
    assert quota.rule_removed(rule).endswith(": rule removed")
    if scope is not Scope.POOL:
        assert quota.because(rule).startswith("by ")


@pytest.mark.parametrize("cap", Cap)
def test_every_cap_is_named(cap: Cap) -> None:
    state = CapState(cap, Allowance(Decimal(500), Period.MONTH), Decimal("120.5"), NOW)

    assert quota.cap(state).endswith(f"**379.5** of 500 credits a month left · renews <t:{int(NOW.timestamp())}:R>")


def test_an_unlimited_balance_tells_what_was_spent() -> None:
    balance = Balance(Allowance(None, Period.MONTH), Decimal(12), NOW, Decimal("3.5"))

    assert statement.allowance(balance) == (
        "**Unlimited** · 12 credits spent this month · **3.5 credits** granted, used after that"
    )
