"""The words of /quota: what admins see, and what stands in the ledger for good."""

from collections.abc import Sequence
from decimal import Decimal

from bot.domain.credits import LedgerEntry, Movement, Period
from bot.domain.ids import UserId
from bot.domain.rules import Cap, CapState, Rule, Scope, ServerSettings
from bot.ui.texts.amounts import in_credits, number, plain, relative
from bot.ui.texts.statement import per_period

COMMAND_QUOTA = "Decide who may spend how much"
COMMAND_SHOW = "Show a member's rule and balance, and the server's pool"
COMMAND_SET_DEFAULT = "Set what every member of this server may spend"
COMMAND_SET_ROLE = "Set what members with a role may spend; of several roles the largest counts"
COMMAND_SET_MEMBER = "Set what one member may spend, whatever their roles"
COMMAND_CLEAR = "Remove the rule of a member or a role; without either, the server's own"
COMMAND_GRANT = "Give a member bonus credits, which do not expire"
COMMAND_RESET = "Let a member's period start anew"
COMMAND_POOL = "Cap what all members together may spend"
COMMAND_REPORT = "Show where the credits went, as a picture and a table"
COMMAND_LOG = "Show the ledger: what was spent, granted and changed, by whom and why"
COMMAND_SETTINGS = "Show or change time zone, channels, and who manages quotas"

OPTION_CREDITS = "How many credits per period; leave it out for unlimited or nothing"
OPTION_PERIOD = "How often they start anew"
OPTION_MEMBER = "Whom it concerns"
OPTION_ROLE = "Which role"
OPTION_GRANT = "How many credits"
OPTION_REASON = "Why; it stands in the log"
OPTION_TIMEZONE = "When days begin, for example Europe/Berlin"
OPTION_ALLOW_CHANNEL = "Let the bot be used here; once there is such a channel, nowhere else"
OPTION_FORBID_CHANNEL = "Take a channel off that list; when none is left, everywhere is allowed"
OPTION_MANAGER_ROLE = "Who may manage quotas besides Manage Server; @everyone for nobody else"
OPTION_REQUESTS_CHANNEL = "Where members' requests for more are posted"
OPTION_STOP_REQUESTS = "No more requests for more credits"
OPTION_REPORT_PERIOD = "How far back: this day, week or month"

UNLIMITED = "unlimited"
NONE = "none"
CHOICES = {
    Period.DAY.value: "a day",
    Period.WEEK.value: "a week",
    Period.MONTH.value: "a month",
    UNLIMITED: "unlimited",
    NONE: "nothing at all",
}

REPORT_PERIODS = {Period.DAY: "today", Period.WEEK: "this week", Period.MONTH: "this month"}

NO_RULE = "There was no such rule."
EMPTY_LOG = "Nothing yet."
OLDER = "Older"
NEWER = "Newer"
ASK = "Ask for more"
APPROVE = "Approve"
DENY = "Deny"
AMOUNT_TITLE = "Approve the request"
AMOUNT_LABEL = "Bonus credits to grant"
ASKED = "Your request is with the admins. You are told what they decide."
RUNNING_HINT = "-# What is running keeps its price; a lowered rule holds from the next picture on."


def member(user: UserId | int) -> str:
    """A member, by mention."""
    return f"<@{user}>"


def whose(rule: Rule) -> str:
    """Whom a rule is for."""
    match rule.scope:
        case Scope.MEMBER:
            return member(rule.subject)
        case Scope.ROLE:
            return f"<@&{rule.subject}>"
        case Scope.SERVER:
            return "every member"
        case Scope.POOL:
            return "the whole server"
        case Scope.OPERATOR:
            return "everybody"


def rule_set(rule: Rule) -> str:
    """A rule that was set, as an answer and for the ledger."""
    return f"{whose(rule)}: {per_period(rule.allowance)}"


def rule_removed(rule: Rule) -> str:
    """A rule that was removed."""
    return f"{whose(rule)}: rule removed"


def because(rule: Rule) -> str:
    """Why a rule applies."""
    match rule.scope:
        case Scope.MEMBER:
            return "by a rule for this member alone"
        case Scope.ROLE:
            return f"by the rule for {whose(rule)}, the largest among the member’s roles"
        case Scope.SERVER:
            return "by this server’s rule for every member"
        case _:
            return "by the default of whoever runs the bot"


def standing(user: UserId, rule: Rule, words: str) -> str:
    """What /quota show says of a member."""
    return f"{member(user)} may spend **{per_period(rule.allowance)}**: {words}."


_CAPS = {Cap.POOL: "Server pool", Cap.SERVER_LIMIT: "Operator’s limit for this server", Cap.BUDGET: "Operator’s budget"}


def cap(state: CapState) -> str:
    """How far a limit over several members is used up."""
    left = number(state.left if state.left is not None else Decimal(0))
    return f"{_CAPS[state.cap]}: **{left}** of {per_period(state.allowance)} left · renews {relative(state.renews_at)}"


def granted(user: UserId, amount: Decimal, reason: str) -> str:
    """A grant, as an answer."""
    return f"{member(user)} got {in_credits(amount)} besides their allowance: {plain(reason, 200)}"


def reset(user: UserId) -> str:
    """A reset, as an answer and for the ledger."""
    return f"{member(user)}: the period starts anew"


_SHOWN = 25
_NOTED = 5


def settings(chosen: ServerSettings) -> str:
    """A server's settings, a line each."""
    channels = _some([f"<#{one}>" for one in sorted(chosen.channels)], _SHOWN) or "everywhere"
    return "\n".join([_zone(chosen), f"Used in: {channels}", _managers(chosen), _requests(chosen)])


def settings_changed(before: ServerSettings, after: ServerSettings) -> str:
    """What was changed in a server's settings, for the ledger: of many channels only those that came and went."""
    pieces = [what(after) for what in (_zone, _managers, _requests) if what(after) != what(before)]
    came, went = sorted(after.channels - before.channels), sorted(before.channels - after.channels)
    if came:
        pieces.append(f"Channels allowed: {_some([f'<#{one}>' for one in came], _NOTED)}")
    if went:
        pieces.append(f"Channels no longer on the list: {_some([f'<#{one}>' for one in went], _NOTED)}")
    return " · ".join(pieces)


def _some(names: Sequence[str], most: int) -> str:
    """The first of many, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _zone(chosen: ServerSettings) -> str:
    return f"Time zone: **{chosen.zone}**"


def _managers(chosen: ServerSettings) -> str:
    role = f", and <@&{chosen.manager_role}>" if chosen.manager_role else ""
    return f"Quotas are managed by: Manage Server{role}"


def _requests(chosen: ServerSettings) -> str:
    where = f"<#{chosen.requests_channel}>" if chosen.requests_channel else "nobody can ask for more"
    return f"Requests for more: {where}"


MANAGER_HINT = "-# For members of that role to see the command, allow it under Server Settings, Integrations, as well."


def log_line(entry: LedgerEntry) -> str:
    """One line of the ledger."""
    when = f"<t:{int(entry.at.timestamp())}:f>"
    by = f" · by {member(entry.actor_id)}" if entry.actor_id else ""
    whom = f"{member(entry.user_id)} · " if entry.user_id and entry.movement is not Movement.RULE else ""
    made = entry.settings
    picture = f" · flux-2 {made.model.value} {made.resolution.value}" if made else ""
    match entry.movement:
        case Movement.GRANT:
            what = f"+{number(entry.credits)} granted: {plain(entry.note, 120)}"
        case Movement.RESET:
            what = "period started anew"
        case Movement.RULE:
            what = entry.note
        case Movement.LATE:
            what = (
                f"{number(abs(entry.credits))} for a picture that came after its refund, free for the member{picture}"
            )
        case Movement.REFUND | Movement.GOODWILL:
            what = f"+{number(entry.credits)} given back{picture}"
        case _:
            what = f"−{number(abs(entry.credits))}{picture}"
    return f"-# {when} · {whom}{what}{by}"


def log_title(of: UserId | None, page: int) -> str:
    """Above a page of the ledger."""
    return f"### Ledger{f' of {member(of)}' if of else ''} · page {page + 1}"


def request(user: UserId, rule: Rule, words: str) -> str:
    """A member's request, as admins see it."""
    return f"### {member(user)} asks for more credits\n{words}\n-# {because(rule)}"


def approved(user: UserId, amount: Decimal, by: UserId) -> str:
    """A request that was granted, as admins see it."""
    return f"{member(user)} asked for more: {member(by)} granted {in_credits(amount)}."


def denied(user: UserId, by: UserId) -> str:
    """A request that was turned down, as admins see it and for the ledger."""
    return f"{member(user)} asked for more: {member(by)} said no."


def you_got(amount: Decimal) -> str:
    """What a member is told of an approval."""
    return f"Your request was approved: {in_credits(amount)} more, besides your allowance. They do not expire."


YOU_GOT_NOTHING = "Your request for more credits was denied. Your allowance renews as usual; /balance shows when."
ANSWERED = "Your request for more credits was answered. /balance shows what you have."
GRANT_NOTE = "asked for more, approved"
