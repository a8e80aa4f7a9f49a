"""What a member is told when something was not done: what happened, that it cost nothing, and what to do."""

from collections.abc import Mapping

from bot.domain.errors import (
    AutoNeedsReference,
    ControlsNeedFlex,
    DraftGone,
    GenerationGone,
    NoPicture,
    NotEnoughCredits,
    NotYours,
    PromptLength,
    ReferenceProblem,
    ReferenceRefused,
    ReferencesGone,
    TooLateToCancel,
    TooManyOpen,
    TooManyPictures,
    UploadFailed,
    UserError,
)
from bot.domain.settings import REFERENCES_MAX
from bot.ui.texts.amounts import in_credits, number, plain, relative

NOTHING_CHARGED = "Nothing was charged."
TOLD_PRIVATELY = "This did not work; whoever asked is told why."

_PROBLEMS = {
    ReferenceProblem.TOO_LARGE: "is over 50 MB. Attach a smaller one.",
    ReferenceProblem.NOT_AN_IMAGE: "is not a picture that I can read. Attach a JPEG, PNG, WebP, HEIC or the like.",
    ReferenceProblem.DAMAGED: "is damaged or cut off. Save it again and attach that.",
    ReferenceProblem.TOO_MANY_PIXELS: "has too many pixels. Scale it below 50 megapixels.",
    ReferenceProblem.UNREACHABLE: "could not be loaded from Discord. Attach it again.",
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
    TooManyPictures: (f"A picture is made from at most {REFERENCES_MAX} others. Attach fewer. {NOTHING_CHARGED}"),
    NoPicture: f"I see no picture in this message. Choose one that has a picture. {NOTHING_CHARGED}",
    DraftGone: (
        f"This window was open for too long, and what it was about is forgotten. Open it again. {NOTHING_CHARGED}"
    ),
    UploadFailed: f"KIE did not take your picture. Try again in a while. {NOTHING_CHARGED}",
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
        case NotEnoughCredits(price=price, allowance=whole) if price > whole:
            text = (
                f"This costs {in_credits(price)}, more than your whole allowance of {number(whole)}. "
                f"Make fewer or smaller ones. {NOTHING_CHARGED}"
            )
        case NotEnoughCredits(price=price, left=left, renews_at=renews_at):
            text = (
                f"This costs {in_credits(price)} and you have {number(left)} left. "
                f"You get more {relative(renews_at)}. {NOTHING_CHARGED}"
            )
        case TooManyOpen(limit=limit):
            text = f"You have {limit} open wishes, which is the most at once. Wait for one to finish. {NOTHING_CHARGED}"
        case _:
            text = _FIXED.get(type(error), f"That did not work. {NOTHING_CHARGED}")
    return text


def broken(reference: str) -> str:
    """For what a member cannot understand: a reference that the operator finds in the log."""
    return f"Something broke on our side (ref {reference}). {NOTHING_CHARGED}"


FORBIDDEN = "You are not allowed to do that here."
MESSAGE_GONE = "That message was deleted meanwhile."
OUTDATED = "This command has changed. Reload Discord and try again."
