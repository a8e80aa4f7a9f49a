"""Which rule applies to a member."""

from decimal import Decimal

import pytest

from bot.domain.credits import Account, Allowance, Period, Requester
from bot.domain.ids import GuildId, RoleId, UserId
from bot.domain.rules import Rule, Scope
from bot.quota.policy import applicable_rule
from tests.factories import ALICE

ROLE_A, ROLE_B, ROLE_C = 1, 2, 3
DEFAULT = Rule(Scope.OPERATOR, 0, Allowance(Decimal(50), Period.DAY))


def allowance(text: str) -> Allowance:
    """From "30/day"; "∞/week" is unlimited."""
    amount, period = text.split("/")
    return Allowance(None if amount == "∞" else Decimal(amount), Period(period))


def role(subject: int, text: str) -> Rule:
    return Rule(Scope.ROLE, subject, allowance(text))


def member(text: str) -> Rule:
    return Rule(Scope.MEMBER, ALICE.user_id, allowance(text))


def server(text: str) -> Rule:
    return Rule(Scope.SERVER, 0, allowance(text))


def applied(*rules: Rule, roles: tuple[int, ...] = (ROLE_A, ROLE_B, ROLE_C)) -> Rule:
    """The rule that applies to Alice, in whatever order the rules come."""
    requester = Requester(ALICE, frozenset(map(RoleId, roles)))
    rule = applicable_rule(rules, requester, DEFAULT.allowance)
    assert applicable_rule(rules[::-1], requester, DEFAULT.allowance) == rule
    return rule


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], DEFAULT),
        ([server("10/day")], server("10/day")),
        ([server("500/day"), role(ROLE_A, "10/day")], role(ROLE_A, "10/day")),
        ([server("500/day"), role(ROLE_A, "500/day"), member("1/month")], member("1/month")),
        # The most specific rule applies, not the most generous: "unlimited" and "nothing" are rules like others.
        ([server("∞/day"), role(ROLE_A, "0/day")], role(ROLE_A, "0/day")),
        ([server("10/day"), role(ROLE_A, "∞/day"), member("0/day")], member("0/day")),
        ([server("0/day"), member("∞/day")], member("∞/day")),
        ([server("0/day")], server("0/day")),
        # Another member's rule, and the pool, are not Alice's.
        ([Rule(Scope.MEMBER, 102, allowance("500/day")), Rule(Scope.POOL, 0, allowance("1/day"))], DEFAULT),
    ],
)
def test_the_most_specific_rule_applies(rules: list[Rule], expected: Rule) -> None:
    assert applied(*rules) == expected


@pytest.mark.parametrize(
    ("roles", "largest"),
    [
        (["30/day", "20/day", "10/day"], "30/day"),
        (["0/day", "1/month", "0/week"], "1/month"),
        (["∞/month", "100000/day", "0/day"], "∞/month"),
        # Different periods are compared by credits a day: 70 a week is ten a day.
        (["9/day", "70/week", "11/day"], "11/day"),
        (["9/day", "70/week", "0/day"], "70/week"),
        (["10/day", "300/month", "0/day"], "10/day"),
        (["10/day", "305/month", "0/day"], "305/month"),
        (["300/month", "68/week", "0/day"], "300/month"),
        (["300/month", "70/week", "0/day"], "70/week"),
        (["0.001/day", "0/week", "0/month"], "0.001/day"),
    ],
)
def test_the_largest_of_several_roles_applies(roles: list[str], largest: str) -> None:
    rules = [role(subject, text) for subject, text in zip((ROLE_A, ROLE_B, ROLE_C), roles, strict=True)]
    assert applied(*rules).allowance == allowance(largest)


def test_only_the_members_roles_count() -> None:
    rules = [role(ROLE_A, "500/day"), role(ROLE_B, "10/day"), server("20/day")]
    assert applied(*rules, roles=(ROLE_B,)) == role(ROLE_B, "10/day")
    assert applied(*rules, roles=()) == server("20/day")


def test_a_role_with_a_members_id_is_still_a_role() -> None:
    """Discord's ids are unique, but nothing here relies on that."""
    requester = Requester(Account(UserId(7), GuildId(900)), frozenset({RoleId(8)}))
    rules = [Rule(Scope.ROLE, 7, allowance("500/day")), Rule(Scope.MEMBER, 8, allowance("400/day"))]
    assert applicable_rule(rules, requester, DEFAULT.allowance) == DEFAULT
