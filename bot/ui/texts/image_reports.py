"""Reports of images: the form, what moderators read, and what they decided."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from bot.domain import image_reports as reports
from bot.domain.errors import UserError
from bot.domain.image_reports import REASON_MAX, REPORTS_A_DAY, ReportDecision, Reporter, ReportVerdict
from bot.ui.texts.amounts import in_bonus_credits, in_credits, plain, relative, some
from bot.ui.texts.cards import member

REPORT = "Report"
TITLE = "Report this image"
REASON = "What's wrong with it?"
REASON_HINT = "Optional. Only the moderators see this."
SENT = "Thank you. The moderators have your report."
DISMISS = "Dismiss"
AGE_RESTRICTED = "Not shown here: it's from an age-restricted channel, or from one that I can't see."
_REPORTERS_NAMED, _REASONS_SHOWN = 5, 3
_NOT_SENT = "so nothing was sent."

REFUSALS: Final[Mapping[type[UserError], str]] = {
    reports.NoReportsChannel: (
        f"This server has no channel for reports that I can post in, {_NOT_SENT} Tell an admin directly."
    ),
    reports.ReportsChannelClosed: (
        "I can't post in that channel, so nothing was changed. Allow me View Channel, Send Messages and Attach Files "
        "there, and choose it again."
    ),
    reports.AlreadyReported: f"You've already reported this image, {_NOT_SENT} The moderators have your report.",
    reports.AlreadyReviewed: f"The moderators have already dealt with this image, {_NOT_SENT}",
    reports.TooManyReports: (
        f"You've made {REPORTS_A_DAY} reports in the last 24 hours, which is the limit, {_NOT_SENT} "
        "Tell an admin directly."
    ),
    reports.ReportGone: (
        "I no longer have this image or its report, so nothing was changed. "
        "If the image's message is still there, delete it by hand."
    ),
    reports.NotAModerator: (
        "Only quota managers, and people who can manage messages in the image's channel, can do that. Ask one of them."
    ),
}


def heading(count: int) -> str:
    """Above a report, by how many members reported the image."""
    return f"### Reported image{f' · {count} reports' if count > 1 else ''}"


def location(link: str) -> str:
    """Where the image is."""
    return f"[see the image]({link})"


def reported_by(reporters: Sequence[Reporter], *, words: bool) -> str:
    """Who reported the image, and the newest reasons that were given."""
    lines = [f"Reported by {some([member(one.user_id) for one in reporters], _REPORTERS_NAMED)}"] if reporters else []
    reasons = [one for one in reporters if one.reason] if words else []
    for one in reasons[-_REASONS_SHOWN:]:
        by = f" · {member(one.user_id)}" if len(reporters) > 1 else ""
        lines.append(f"> {plain(one.reason, REASON_MAX)}{by}")
    return "\n".join(lines)


def refund(amount: Decimal) -> str:
    """The button that gives back the price."""
    return f"Refund · {in_credits(amount)}"


def deletes_all(count: int) -> str:
    """Beside the buttons, if the image is one of several in its message."""
    return f"-# Delete removes all {count} images of that message."


def decided(verdict: ReportVerdict, decision: ReportDecision, requester: int, amount: Decimal) -> str:
    """What a moderator did."""
    match verdict:
        case ReportVerdict.DELETED:
            what = "🗑️ Deleted"
        case ReportVerdict.REFUNDED:
            what = f"↩️ {member(requester)} got {in_bonus_credits(amount)} back"
        case ReportVerdict.DISMISSED:
            what = "Dismissed"
    return f"{what} · by {member(decision.by)} · {relative(decision.at)}"
