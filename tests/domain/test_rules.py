"""Which rule applies, and where the bot may be used."""

from decimal import Decimal

import pytest

from bot.domain.credits import Account, Allowance, Period, Requester
from bot.domain.ids import ChannelId, GuildId, RoleId, UserId
from bot.domain.rules import Rule, Scope, ServerSettings
from bot.quota.policy import applicable_rule
from tests.factories import ALICE

A, B, C = 1, 2, 3
DEFAULT = Allowance(Decimal(50), Period.DAY)


def allowance(text: str) -> Allowance:
    """From "30/day"; "∞/week" is without limit."""
    amount, period = text.split("/")
    return Allowance(None if amount == "∞" else Decimal(amount), Period(period))


def rule(scope: Scope, subject: int, text: str) -> Rule:
    return Rule(scope, subject, allowance(text))


def role(subject: int, text: str) -> Rule:
    return rule(Scope.ROLE, subject, text)


def own(text: str) -> Rule:
    return rule(Scope.MEMBER, ALICE.user_id, text)


def server(text: str) -> Rule:
    return rule(Scope.SERVER, 0, text)


def applied(*rules: Rule, roles: tuple[int, ...] = (A, B, C)) -> Rule:
    return applicable_rule(rules, Requester(ALICE, frozenset(map(RoleId, roles))), DEFAULT)


NEAREST: list[tuple[list[Rule], Rule]] = [
    ([], Rule(Scope.OPERATOR, 0, DEFAULT)),
    ([server("10/day")], server("10/day")),
    ([server("500/day"), role(A, "10/day")], role(A, "10/day")),
    ([server("500/day"), role(A, "500/day"), own("1/month")], own("1/month")),
    # Unlimited and nothing are rules like others: the nearest applies, not the most generous.
    ([server("∞/day"), role(A, "0/day")], role(A, "0/day")),
    ([server("10/day"), role(A, "∞/day"), own("0/day")], own("0/day")),
    ([server("0/day"), own("∞/day")], own("∞/day")),
    ([server("0/day")], server("0/day")),
]


@pytest.mark.parametrize(("rules", "expected"), NEAREST)
def test_the_nearest_rule_applies(rules: list[Rule], expected: Rule) -> None:
    assert applied(*rules) == expected
    assert applied(*reversed(rules)) == expected


LARGEST = [
    (["30/day", "20/day", "10/day"], "30/day"),
    (["0/day", "1/month", "0/week"], "1/month"),
    (["∞/month", "100000/day", "0/day"], "∞/month"),
    # Different periods are compared by what they come to: 70 a week is ten a day.
    (["9/day", "70/week", "11/day"], "11/day"),
    (["9/day", "70/week", "0/day"], "70/week"),
    (["10/day", "300/month", "0/day"], "10/day"),
    (["10/day", "305/month", "0/day"], "305/month"),
    (["300/month", "68/week", "0/day"], "300/month"),
    (["300/month", "70/week", "0/day"], "70/week"),
    (["0.001/day", "0/week", "0/month"], "0.001/day"),
]


@pytest.mark.parametrize(("roles", "largest"), LARGEST)
def test_the_largest_of_the_roles_applies(roles: list[str], largest: str) -> None:
    rules = [role(subject, text) for subject, text in zip((A, B, C), roles, strict=True)]
    assert applied(*rules).allowance == allowance(largest)
    assert applied(*reversed(rules)).allowance == allowance(largest)


def test_only_the_members_own_roles_count() -> None:
    rules = [role(A, "500/day"), role(B, "10/day"), server("20/day")]
    assert applied(*rules, roles=(B,)) == role(B, "10/day")
    assert applied(*rules, roles=()) == server("20/day")


def test_anothers_rule_and_the_pool_are_not_the_members() -> None:
    others = Rule(Scope.MEMBER, 102, allowance("500/day"))
    pool = rule(Scope.POOL, 0, "1/day")
    assert applied(others, pool) == Rule(Scope.OPERATOR, 0, DEFAULT)


def test_a_role_with_the_number_of_a_member_is_still_a_role() -> None:
    """Discord's ids are unique, but nothing here rests on that."""
    asker = Requester(Account(UserId(7), GuildId(900)), frozenset({RoleId(8)}))
    rules = [Rule(Scope.ROLE, 7, allowance("500/day")), Rule(Scope.MEMBER, 8, allowance("400/day"))]
    assert applicable_rule(rules, asker, DEFAULT).scope is Scope.OPERATOR


@pytest.mark.parametrize(
    ("channels", "places", "allowed"),
    [
        ((), (5,), True),
        ((5, 6), (6,), True),
        ((5, 6), (7,), False),
        # A thread belongs to its channel, and may be named itself.
        ((5,), (70, 5), True),
        ((70,), (70, 5), True),
        ((5,), (70, 6), False),
        ((5,), (None, None), False),
        ((), (None, None), True),
    ],
)
def test_where_the_bot_may_be_used(channels: tuple[int, ...], places: tuple[int | None, ...], *, allowed: bool) -> None:
    settings = ServerSettings(channels=frozenset(map(ChannelId, channels)))
    assert settings.allows(*(None if place is None else ChannelId(place) for place in places)) is allowed
