"""The words of /balance, /quota and requests for credits. None of them is stored."""

from datetime import datetime
from decimal import Decimal

from bot.domain.credits import Allowance, Balance, Movement, Period, PriceList
from bot.domain.ids import UserId
from bot.domain.ledger import (
    Decision,
    ImageRefunded,
    LedgerEntry,
    RequestApproved,
    RequestDenied,
    RuleRemoved,
    RuleSet,
    SettingsChanged,
)
from bot.domain.rules import CapState, Rule, Scope
from bot.domain.settings import Model
from bot.domain.text import clean
from bot.ui.texts.amounts import CAPS, in_bonus_credits, in_credits, joined, made_with, number, plain, relative
from bot.ui.texts.cards import member
from bot.ui.texts.commands import model_choice
from bot.ui.texts.server_settings import settings_changed

_PER_PERIOD = {Period.DAY: "a day", Period.WEEK: "a week", Period.MONTH: "a month"}
_THIS_PERIOD = {Period.DAY: "today", Period.WEEK: "this week", Period.MONTH: "this month"}

BALANCE_TITLE = "Your credits"
PRICES_TITLE = "What an image costs"
ACTIVITY_TITLE = "Recent activity"
NO_ACTIVITY = "Nothing yet. Make an image with /imagine."

NO_RULE = "There was no limit to remove."
REASON_HIDDEN = "reason not shown because Discord blocks it"
EMPTY_LOG = "Nothing yet."
OLDER = "Older"
NEWER = "Newer"
IN_PROGRESS_HINT = "-# Requests in progress aren't affected."
MANAGER_HINT = "-# To let that role see the command, also allow it under Server Settings, Integrations."

ASK = "Ask for more"
APPROVE = "Approve"
DENY = "Decline"
AMOUNT_TITLE = "Approve the request"
AMOUNT_LABEL = "Bonus credits to grant"
ASKED = "Sent to the admins. You'll hear when they decide."
DENIED = "Your request for more credits was declined. Your allowance refills as usual; /balance shows when."
DECIDED = "Your request for more credits has been answered. /balance shows what you have."
_NO_REASON = "no reason given"
_APPROVED_REQUEST, _REFUNDED_IMAGE = "approved request for more credits", "refund of a reported image"


def price_lines(prices: PriceList) -> list[str]:
    """What each model costs, a line each."""
    return [model_choice(model, prices) for model in Model]


def per_period(allowance: Allowance) -> str:
    """An allowance: 50 credits a day."""
    if allowance.credits is None:
        return "unlimited credits"
    if not allowance.credits:
        return "no credits"
    return f"{in_credits(allowance.credits)} {_PER_PERIOD[allowance.period]}"


def balance(account: Balance) -> str:
    """What is left of the allowance, when it refills, and the bonus credits."""
    allowance, left = account.allowance, account.left_of_allowance
    if allowance.credits is None or left is None:
        line = f"**Unlimited** · {in_credits(account.spent)} spent {_THIS_PERIOD[allowance.period]}"
    elif not allowance.credits:
        line = "**No allowance**"
    else:
        line = (
            f"**{number(left)}** of {in_credits(allowance.credits)} left {_THIS_PERIOD[allowance.period]}"
            f" · refills {relative(account.renews_at)}"
        )
    return f"{line} · plus **{in_bonus_credits(account.bonus)}**" if account.bonus else line


def allowance_source(rule: Rule, *, own: bool) -> str:
    """Who set the limit that applies to a member; ``own`` when that member reads it."""
    match rule.scope:
        case Scope.MEMBER:
            return "You have a personal limit" if own else "Personal limit"
        case Scope.ROLE:
            return f"Limit from <@&{rule.subject}>, the largest among {'your' if own else 'their'} roles"
        case Scope.SERVER:
            return "This server's default"
        case _:
            return "The bot's default"


def activity(entry: LedgerEntry) -> str:
    """One line of a member's own recent activity."""
    when = relative(entry.at)
    match entry.movement:
        case Movement.GRANT:
            return f"{_granted(entry, 80)} · {when}"
        case Movement.RESET:
            return f"allowance reset by an admin · {when}"
        case _ if entry.credits > 0:
            return f"+{number(entry.credits)} refunded{_paid_for(entry)} · {when}"
        case _:
            return f"−{number(abs(entry.credits))} spent{_paid_for(entry)} · {when}"


def member_quota(user: UserId, rule: Rule) -> str:
    """What a member gets, and why."""
    return f"{member(user)} gets **{per_period(rule.allowance)}** · {joined(allowance_source(rule, own=False))}"


def cap(state: CapState) -> str:
    """How much is left of a limit over several members."""
    left = number(state.left if state.left is not None else Decimal(0))
    cap = CAPS[state.cap].capitalize()
    return f"{cap}: **{left}** of {per_period(state.allowance)} left · refills {relative(state.renews_at)}"


def rule_set(rule: Rule) -> str:
    """A limit that was set, as an answer and in the log."""
    amount = per_period(rule.allowance)
    match rule.scope:
        case Scope.MEMBER:
            return f"{member(rule.subject)} now gets {amount}"
        case Scope.ROLE:
            return f"Members with <@&{rule.subject}> now get {amount}"
        case Scope.POOL:
            return f"Server pool set to {amount}"
        case _:
            return f"Members without a limit of their own now get {amount}"


def rule_removed(scope: Scope, subject: int) -> str:
    """A limit that was removed, as an answer and in the log."""
    match scope:
        case Scope.MEMBER:
            return f"{member(subject)}'s personal limit removed"
        case Scope.ROLE:
            return f"Limit for <@&{subject}> removed"
        case Scope.POOL:
            return "Server pool removed"
        case _:
            return "Server limit removed"


def now_applies(removed: str, scope: Scope, rule: Rule) -> str:
    """A limit that was removed, as an answer, and the rule that applies instead."""
    amount = per_period(rule.allowance)
    match scope:
        case Scope.MEMBER:
            return f"{removed}. They now get **{amount}** · {joined(allowance_source(rule, own=False))}"
        case Scope.ROLE:
            return (
                f"{removed}. Members with no other limit get **{amount}** · {joined(allowance_source(rule, own=False))}"
            )
        case Scope.POOL:
            return f"{removed}; only each member's own limit and the bot owner's limits apply"
        case _:
            return f"{removed}; the bot's default applies: {amount}"


def granted(user: UserId, amount: Decimal, reason: str) -> str:
    """A grant, as an answer."""
    return f"{member(user)} got {in_bonus_credits(amount)}: {plain(reason, 200) or _NO_REASON}"


def reset(user: UserId) -> str:
    """A reset, as an answer."""
    return f"{member(user)}'s allowance was reset"


def log_title(of: UserId | None, page: int) -> str:
    """Above a page of the log, the first page being 0."""
    return f"### Credit log{f' for {member(of)}' if of else ''} · page {page + 1}"


def log_line(entry: LedgerEntry) -> str:
    """One line of the log."""
    by = f" · by {member(entry.actor_id)}" if entry.actor_id else ""
    whose = f"{member(entry.user_id)} · " if entry.user_id and entry.movement is not Movement.RULE else ""
    match entry.movement:
        case Movement.GRANT:
            event = _granted(entry, 120)
        case Movement.RESET:
            event = "allowance reset"
        case Movement.RULE:
            event = _changed(entry)
        case Movement.LATE:
            event = f"{number(abs(entry.credits))} for an image that arrived late, free for the member"
        case _ if entry.credits > 0:
            event = f"+{number(entry.credits)} refunded"
        case _:
            event = f"−{number(abs(entry.credits))}"
    if entry.folded > 1:
        event = f"{event}: {entry.folded:,} entries of that year, combined"
    return f"-# {_exact(entry.at)} · {whose}{event}{_paid_for(entry)}{by}"


def request(user: UserId, rule: Rule, account: Balance) -> str:
    """A member's request for more credits, as admins see it."""
    return f"### {member(user)} asks for more credits\n{balance(account)}\n-# {allowance_source(rule, own=False)}"


def decided(decision: Decision) -> str:
    """What was decided about a request, as admins see it."""
    end = f"granted {in_bonus_credits(decision.amount)}" if isinstance(decision, RequestApproved) else "declined"
    return f"{member(decision.member)} asked for more credits: {member(decision.by)} {end}."


def decided_for_you(decision: Decision) -> str:
    """The same, to the member who asked."""
    if isinstance(decision, RequestDenied):
        return DENIED
    return f"Your request was approved: you got {in_bonus_credits(decision.amount)}. Bonus credits don't expire."


def _changed(entry: LedgerEntry) -> str:
    """What an entry records; an old one has its sentence as its note."""
    match entry.change:
        case RuleSet(rule=rule):
            return joined(rule_set(rule))
        case RuleRemoved(scope=scope, subject=subject):
            return joined(rule_removed(scope, subject))
        case SettingsChanged(before=before, after=after):
            return settings_changed(before, after)
        case RequestApproved(member=asker) | RequestDenied(member=asker) as decision:
            end = "approved" if isinstance(decision, RequestApproved) else "declined"
            return f"{member(asker)}'s request for more credits was {end}"
        case None | ImageRefunded():
            return clean(entry.note) or "something was changed"


def _granted(entry: LedgerEntry, length: int) -> str:
    """Bonus credits that were given; or taken, when their owner erased their data."""
    if entry.credits < 0:
        return f"−{in_bonus_credits(-entry.credits)}: all data was erased"
    return f"+{in_bonus_credits(entry.credits)}: {_grant_reason(entry, length)}"


def _grant_reason(entry: LedgerEntry, length: int) -> str:
    if entry.change is None:
        return plain(entry.note, length) or _NO_REASON
    return _REFUNDED_IMAGE if isinstance(entry.change, ImageRefunded) else _APPROVED_REQUEST


def _paid_for(entry: LedgerEntry) -> str:
    if entry.movement is Movement.REWORDING:
        return " · prompt suggestions"
    return f" · {made_with(entry.settings)}" if entry.settings else ""


def _exact(moment: datetime) -> str:
    return f"<t:{int(moment.timestamp())}:f>"
