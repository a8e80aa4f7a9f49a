"""What a member is told when something was not done: what happened, that it cost nothing, and what to do."""

from collections.abc import Mapping, Sequence

from bot.domain.errors import (
    AlreadyRequested,
    AutoNeedsReference,
    BadAmount,
    CapReached,
    ChannelNotAllowed,
    ControlsNeedFlex,
    CreditRequestClosed,
    CreditsMissing,
    DraftGone,
    GenerationGone,
    MayNotPost,
    NoRequestsChannel,
    NoSourceImage,
    NotAManager,
    NotEnoughCredits,
    NothingToChange,
    NotReadyYet,
    NotYours,
    PromptLength,
    ReferenceProblem,
    ReferenceRefused,
    ReferencesGone,
    SubmissionsPaused,
    TooLateToCancel,
    TooManyImages,
    TooManyOpen,
    UnknownZone,
    UploadFailed,
    UserError,
)
from bot.domain.rules import Cap
from bot.domain.settings import REFERENCES_MAX, CheaperOption
from bot.ui.texts.amounts import in_credits, number, plain, relative

NOTHING_CHARGED = "Nothing was charged."
NO_STORE = (
    f"My disk does not take anything right now, so this was not started. {NOTHING_CHARGED} Try again in a minute."
)
TOLD_PRIVATELY = "This did not work; whoever asked is told why."

_PROBLEMS = {
    ReferenceProblem.TOO_LARGE: "is over 50 MB. Attach a smaller one.",
    ReferenceProblem.NOT_AN_IMAGE: "is not a picture that I can read. Attach a JPEG, PNG, WebP, HEIC or the like.",
    ReferenceProblem.DAMAGED: "is damaged or cut off. Save it again and attach that.",
    ReferenceProblem.TOO_MANY_PIXELS: "has too many pixels. Scale it below 50 megapixels.",
    ReferenceProblem.UNREACHABLE: "could not be loaded from Discord. Attach it again.",
}
_CAPS = {
    Cap.POOL: "The server's pool",
    Cap.SERVER_LIMIT: "What this server may spend",
    Cap.BUDGET: "The bot's budget for today",
}

_FIXED: Mapping[type[UserError], str] = {
    AutoNeedsReference: (
        f"The aspect ratio “auto” follows a picture. Attach one or choose another ratio. {NOTHING_CHARGED}"
    ),
    ControlsNeedFlex: (
        f"Steps and guidance work with the model flex only. Choose flex or leave them out. {NOTHING_CHARGED}"
    ),
    ReferencesGone: (
        f"The pictures that this was made from are no longer kept. Attach them again with /imagine. {NOTHING_CHARGED}"
    ),
    TooManyImages: (f"A picture is made from at most {REFERENCES_MAX} others. Attach fewer. {NOTHING_CHARGED}"),
    NoSourceImage: f"I see no picture in this message. Choose one that has a picture. {NOTHING_CHARGED}",
    DraftGone: (
        f"This window was open for too long, and what it was about is forgotten. Open it again. {NOTHING_CHARGED}"
    ),
    UploadFailed: f"KIE did not take your picture. Try again in a while. {NOTHING_CHARGED}",
    MayNotPost: (
        "I may not post pictures in this channel. Ask an admin to allow me View Channel, Send Messages and Attach "
        f"Files here, or use /imagine with private:True. {NOTHING_CHARGED}"
    ),
    NotReadyYet: f"I have just connected and do not know this server yet. Try again in a moment. {NOTHING_CHARGED}",
    NotAManager: "This is for those who manage the server's quotas. Ask an admin.",
    NothingToChange: "Nothing was chosen, so nothing was changed. Fill in at least one option.",
    NoRequestsChannel: "There is nobody to ask here: this server has no channel for requests that I can post in.",
    CreditRequestClosed: "This request was decided already, or is too old. Nothing was changed.",
    SubmissionsPaused: (
        f"The bot's KIE account has run out of credits. Tell whoever runs the bot, then try again. {NOTHING_CHARGED}"
    ),
    NotYours: "Only the one who asked for this picture can do that.",
    TooLateToCancel: "KIE is already painting, so this cannot be cancelled any more.",
    GenerationGone: "This picture is too old for its buttons: nothing is known of it any more. Ask anew with /imagine.",
}


def refusal(error: UserError) -> str:
    """What happened, that it cost nothing, and what to do."""
    match error:
        case PromptLength(length=length, minimum=minimum, maximum=maximum):
            text = f"A prompt has {minimum} to {maximum:,} characters, and yours has {length:,}. {NOTHING_CHARGED}"
        case ReferenceRefused(filename=filename, problem=problem):
            text = f"{plain(filename, 80)} {_PROBLEMS[problem]} {NOTHING_CHARGED}"
        case NotEnoughCredits() | CapReached():
            text = _too_dear(error)
        case ChannelNotAllowed(channels=channels):
            where = ", ".join(f"<#{one}>" for one in channels[:5])
            text = f"Pictures are made elsewhere in this server: {where}. {NOTHING_CHARGED}"
        case CreditsMissing(period=period):
            text = f"How many credits a {period}? Fill in credits, or choose unlimited or nothing at all as the period."
        case UnknownZone(name=name):
            text = f"There is no time zone “{plain(name, 60)}”. Choose one of the list, for example Europe/Berlin."
        case AlreadyRequested(expires_at=expires_at):
            text = f"The admins have your last request. You can ask anew once it is decided, or {relative(expires_at)}."
        case BadAmount(text=typed):
            text = f"“{plain(typed, 40)}” is no amount. Write a number up to 1,000,000. Nothing was granted."
        case TooManyOpen(limit=limit):
            text = f"You have {limit} open wishes, which is the most at once. Wait for one to finish. {NOTHING_CHARGED}"
        case _:
            text = _FIXED.get(type(error), f"That did not work. {NOTHING_CHARGED}")
    return text


def _too_dear(error: NotEnoughCredits | CapReached) -> str:
    """What is missing, when it renews, and what could be had instead."""
    match error:
        case NotEnoughCredits(allowance=whole, left=left) if not whole and not left:
            text = f"You have no credits to spend here. {NOTHING_CHARGED}"
        case NotEnoughCredits(price=price, left=left, allowance=whole, affordable=instead) if not whole:
            text = (
                f"This costs {in_credits(price)}, you have {number(left)} left: {number(price - left)} are missing. "
                f"{_instead(instead)}{NOTHING_CHARGED}"
            )
        case NotEnoughCredits(price=price, left=left, allowance=whole, affordable=instead) if price > whole:
            text = (
                f"This costs {in_credits(price)}, more than your whole allowance of {number(whole)}; "
                f"you have {number(left)} left. {_instead(instead) or 'Make fewer or smaller ones. '}{NOTHING_CHARGED}"
            )
        case NotEnoughCredits(price=price, left=left, renews_at=renews_at, affordable=instead):
            text = (
                f"This costs {in_credits(price)}, you have {number(left)} left: {number(price - left)} are missing. "
                f"{_instead(instead)}You get more {relative(renews_at)}. {NOTHING_CHARGED}"
            )
        case CapReached(cap=cap, price=price, left=left, renews_at=renews_at, affordable=instead):
            text = (
                f"{_CAPS[cap]} has {number(left)} left and this costs {in_credits(price)}. "
                f"{_instead(instead)}It renews {relative(renews_at)}. {NOTHING_CHARGED}"
            )
    return text


def _instead(ways: Sequence[CheaperOption]) -> str:
    """What could still be had, as a sentence; empty when there is nothing."""
    if not ways:
        return ""
    named = [
        f"{f'{way.count} × ' if way.count > 1 else ''}{way.settings.model.value} at {way.settings.resolution.value} "
        f"for {number(way.price)}"
        for way in ways
    ]
    return f"Still within reach: {', or '.join(named)}. "


def broken(reference: str) -> str:
    """For what a member cannot understand: a reference that the operator finds in the log."""
    return f"Something broke on our side (ref {reference}). {NOTHING_CHARGED}"


FORBIDDEN = "You are not allowed to do that here."
MESSAGE_GONE = "That message was deleted meanwhile."
UNKNOWN_CHOICE = "What you chose is not in this server, or not any more. Choose it from the list."
OUTDATED = "This command has changed. Reload Discord and try again."
