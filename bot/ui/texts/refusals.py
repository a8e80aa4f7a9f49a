"""What a member reads when something was not done: what happened, that nothing was charged, and the next step."""

from collections.abc import Mapping, Sequence

from bot.domain import errors, image_errors, privacy_errors
from bot.domain.assistant import WordingUsed
from bot.domain.settings import PROMPT_MAX, REFERENCES_MAX, CheaperOption
from bot.domain.states import Failure
from bot.generation.references import SOURCE_MAX_BYTES
from bot.ui.texts import image_reports, menus, styles
from bot.ui.texts.amounts import (
    AMOUNT_MAX,
    CAPS,
    NOTHING_CHARGED,
    counted,
    in_credits,
    number,
    plain,
    relative,
    sentence,
    some,
)
from bot.ui.texts.cards import INTERRUPTED
from bot.ui.texts.commands import EDIT_IMAGE, NONE, PERIOD_CHOICES, UNLIMITED

_MEGABYTE = 1_000_000
_CHANNELS_NAMED = _FILES_NAMED = 5
_UNNAMED_FILE = "a file without a name"

NO_STORE = f"I can't save anything right now. Try again in a minute. {NOTHING_CHARGED}"
NOT_ANSWERED = (
    "My database didn't answer, so I don't know whether this was saved. If it was, it continues by itself. "
    "Wait a minute and check `/balance` before you try again."
)
TOLD_PRIVATELY = "That didn't work. I've told the requester why."
FORBIDDEN = "You're not allowed to do that here."
MESSAGE_GONE = f"That message has been deleted. {NOTHING_CHARGED}"
NOT_HERE = (
    "Discord doesn't let me do that here, perhaps because the thread is archived or locked. "
    f"{NOTHING_CHARGED} Reopen it and try again, or try elsewhere."
)
WORDS_BLOCKED = f"Discord blocked the words in this. {NOTHING_CHARGED} Try rewording it."
UNKNOWN_CHOICE = "That member, role or channel isn't in this server. Choose one from the list."
OUTDATED = "This command has changed. Reload Discord and try again."

HOW_TO = "Mention me with a prompt to make an image; /help shows everything else."
HOW_TO_DIRECTLY = "Send me a prompt to make an image; /help shows everything else."
NO_IMAGE = f"I don't see an image in what you attached. Try a JPEG, PNG or WebP, or leave it out. {NOTHING_CHARGED}"
NO_IMAGE_ABOVE = (
    "I don't see an image in the message that you replied to. Attach one, or mention me without replying. "
    + NOTHING_CHARGED
)
STICKER = (
    "I can't use that sticker: it's an animation that only Discord's app can draw. Attach an image instead. "
    + NOTHING_CHARGED
)
REPLY_LOST = (
    "I can't see the message that you replied to. Attach its image, or mention me without replying. " + NOTHING_CHARGED
)
ROLE_HIDDEN = "Discord doesn't show me messages that mention my role. Mention me directly instead. " + NOTHING_CHARGED
CANNOT_SEE = (
    "Discord doesn't show me other members' messages. Right-click the message (on a phone, hold it) "
    f"and choose Apps, {EDIT_IMAGE}. {NOTHING_CHARGED}"
)
ONLY_YOURS = (
    "I'm using only the images you attached: Discord doesn't show me the message above. "
    f"To use its image, right-click it (on a phone, hold it) and choose Apps, {EDIT_IMAGE}."
)

SERVER_NOT_ALLOWED = "The bot's owner hasn't enabled me in this server. Ask them to add it."

_PROBLEMS = {
    errors.ReferenceProblem.TOO_LARGE: f"is over {SOURCE_MAX_BYTES // _MEGABYTE} MB. Attach a smaller image",
    errors.ReferenceProblem.NOT_AN_IMAGE: "isn't an image I can read. Try a JPEG, PNG, WebP or HEIC",
    errors.ReferenceProblem.DAMAGED: "is damaged or incomplete. Save it again and attach the new copy",
    errors.ReferenceProblem.TOO_MANY_PIXELS: "has too many pixels. Scale it down and attach it again",
    errors.ReferenceProblem.TOO_SLOW: "takes too long to process. Save it as a plain JPEG or PNG and attach that",
    errors.ReferenceProblem.INVISIBLE: "is fully transparent. Attach one that shows something",
    errors.ReferenceProblem.UNREACHABLE: "couldn't be loaded from Discord. Attach it again",
}

_FIXED: Mapping[type[errors.UserError], str] = {
    errors.AutoNeedsReference: (
        f"The shape “auto” is that of your first image. Attach one or choose a shape. {NOTHING_CHARGED}"
    ),
    errors.ControlsNeedFlex: (
        f"Steps and guidance only work with flex. Choose flex or leave them out. {NOTHING_CHARGED}"
    ),
    errors.ReferencesGone: (
        f"The images this was made from are no longer stored. Attach them again with /imagine. {NOTHING_CHARGED}"
    ),
    errors.NoSourceImage: f"I don't see an image in this message. Choose one that has an image. {NOTHING_CHARGED}",
    errors.StickerUnreadable: STICKER,
    errors.QuestionGone: (
        f"This question is closed. Mention me in a reply if you want to change an image. {NOTHING_CHARGED}"
    ),
    errors.PriceChanged: f"The price has changed since I asked. Send it again to see the new one. {NOTHING_CHARGED}",
    errors.DraftGone: f"This form was open for too long and has expired. Open it again. {NOTHING_CHARGED}",
    errors.UploadFailed: f"The image service didn't accept your image. Try again in a while. {NOTHING_CHARGED}",
    errors.TooManyImagesWaiting: (
        f"I'm busy with other members' images right now. Try again in a few minutes. {NOTHING_CHARGED}"
    ),
    errors.MayNotPost: (
        "I'm not allowed to post images here, so nothing was charged. Ask an admin to allow me View Channel, "
        "Send Messages and Attach Files, or use /imagine with private: True."
    ),
    errors.NotReadyYet: f"I've just connected and don't know this server yet. Try again in a moment. {NOTHING_CHARGED}",
    errors.ServerNotAllowed: f"{SERVER_NOT_ALLOWED} {NOTHING_CHARGED}",
    errors.NotInServer: (
        f"I only work in servers that I've been added to. Ask an admin to invite me. {NOTHING_CHARGED}"
    ),
    errors.DirectMessagesOff: f"I don't take direct messages. Use me in a server instead. {NOTHING_CHARGED}",
    errors.NotAManager: "Only this server's quota managers can do that. Ask an admin.",
    errors.NeedsManageServer: (
        "Only members with Manage Server can change limits and settings. Ask one of them; nothing was changed."
    ),
    errors.GrantToOneself: (
        "You can't grant credits to yourself. Ask someone with Manage Server; nothing was granted."
    ),
    errors.LimitNotChosen: (
        "Which limit should be removed? Choose a member, a role, or one of the server's limits; nothing was changed."
    ),
    errors.NothingToChange: "You didn't choose anything, so nothing was changed. Fill in at least one option.",
    errors.NoRequestsChannel: "This server has no channel for requests that I can post in. Ask an admin directly.",
    errors.CreditRequestClosed: "This request has already been decided or has expired. Nothing was changed.",
    errors.ResultsPaused: (
        f"I can't fetch finished images from the image service right now. Try again in a while. {NOTHING_CHARGED}"
    ),
    errors.RequestInterrupted: INTERRUPTED,
    image_errors.ImagesNotYours: (
        f"Someone else attached these images privately. Attach images of your own with /imagine. {NOTHING_CHARGED}"
    ),
    image_errors.ImageGone: f"This image no longer exists on Discord. Make it again with /imagine. {NOTHING_CHARGED}",
    **menus.REFUSALS,
    **image_reports.REFUSALS,
    errors.NotYours: "Only the person who requested this can do that.",
    privacy_errors.BeingErased: f"Data is being erased right now. Try again in a few minutes. {NOTHING_CHARGED}",
    WordingUsed: "I've already started that one. Press another number, or open the form again.",
    errors.TooLateToCancel: "Too late to cancel: it's already being made.",
    errors.GenerationGone: "These buttons have expired. Start again with /imagine.",
}


_PAUSED: Mapping[Failure, str] = {
    Failure.OUT_OF_CREDITS: "The bot has run out of credits.",
    Failure.KEY_REFUSED: "The image service refuses the bot's key.",
}


def paused(reason: str) -> str:
    """The operator has paused requests; their reason stands as they wrote it, last, so that it hides nothing."""
    return f"Image making is paused. {NOTHING_CHARGED} Reason: {sentence(reason)}"


def passed_over(names: Sequence[str]) -> str:
    """Which files of a message were not used."""
    are, images = ("isn't", "an image") if len(names) == 1 else ("aren't", "images")
    return f"I left out {_named(names)}, which {are} {images} I can read."


def _named(files: Sequence[str]) -> str:
    return some([_file(name) for name in files], _FILES_NAMED)


def _file(name: str) -> str:
    return plain(name, 80) or _UNNAMED_FILE


def refusal(error: errors.UserError) -> str:
    """What to tell the member about an error."""
    fixed = _FIXED.get(type(error), f"That didn't work. Please try again. {NOTHING_CHARGED}")
    return _of_pause(error) or _of_request(error) or styles.refusal(error) or _of_other_command(error) or fixed


def _of_pause(error: errors.UserError) -> str | None:
    """Why nobody's requests are accepted now."""
    match error:
        case errors.SubmissionsPaused(reason=reason):
            return f"{_PAUSED[reason]} Please let the bot's owner know and try again later. {NOTHING_CHARGED}"
        case errors.RequestsPaused(reason=reason):
            return paused(reason)
        case _:
            return None


def _of_request(error: errors.UserError) -> str | None:
    """Why a request for images was refused, if the reason has details."""
    match error:
        case errors.PromptLength(length=length, minimum=minimum, maximum=maximum):
            text = (
                f"A prompt needs {minimum} to {maximum:,} characters, but yours has {length:,}. "
                f"Change it and try again. {NOTHING_CHARGED}"
            )
        case errors.ReferenceRefused(filename=filename, problem=problem):
            text = f"{_file(filename)} {_PROBLEMS[problem]}. {NOTHING_CHARGED}"
        case errors.TooManyImages(surplus=surplus):
            beyond = f", and {_named(surplus)} would be more" if surplus else ""
            text = f"I can work from {REFERENCES_MAX} images at most{beyond}. Attach fewer. {NOTHING_CHARGED}"
        case errors.PromptFileRefused(filename=filename, too_long=True):
            text = (
                f"Your {_file(filename)} is too long: a prompt has at most {PROMPT_MAX:,} characters. "
                f"Shorten it and try again. {NOTHING_CHARGED}"
            )
        case errors.PromptFileRefused(filename=filename):
            text = f"I can't read {_file(filename)} as a prompt. Paste it into /imagine instead. {NOTHING_CHARGED}"
        case errors.WordsDeleted(made_at=made_at):
            text = (
                f"This request was made {relative(made_at)}, and its prompt has since been deleted. "
                f"Start again with /imagine. {NOTHING_CHARGED}"
            )
        case errors.NotEnoughCredits():
            text = _out_of_credits(error)
        case errors.CapReached(cap=cap, price=price, left=left, renews_at=renews_at, affordable=affordable):
            text = (
                f"The {CAPS[cap]} has {in_credits(left)} left, but this costs {number(price)}. {NOTHING_CHARGED}\n"
                f"{_still_affordable(affordable)}This limit refills {relative(renews_at)}."
            )
        case errors.ChannelNotAllowed(channels=channels):
            allowed = some([f"<#{channel}>" for channel in channels], _CHANNELS_NAMED)
            text = f"In this server I only work in {allowed}. Try it there. {NOTHING_CHARGED}"
        case errors.TooManyOpen(limit=limit):
            text = (
                f"You already have {counted(limit, 'request')} running, which is the limit. "
                f"Wait for {'it' if limit == 1 else 'one'} to finish. {NOTHING_CHARGED}"
            )
        case _:
            text = None
    return text


def _of_other_command(error: errors.UserError) -> str | None:
    """Why a command or form of admins, or one about a member's data, was refused, if the reason has details."""
    match error:
        case errors.ManagerLimitReached(limit=limit) if not limit:
            return "Quota managers can't grant credits here; nothing was granted. Ask someone with Manage Server."
        case errors.ManagerLimitReached(limit=limit, left=left, renews_at=renews_at):
            return (
                f"Quota managers can grant {in_credits(limit)} a month, and you have {number(left)} left; nothing was "
                f"granted. That refills {relative(renews_at)}, or ask someone with Manage Server."
            )
        case errors.BackupFailed(reason=reason):
            return f"The database was not backed up: {plain(reason, 500)}."
        case errors.CreditsMissing(period=period):
            return (
                f"You didn't say how many credits per {period}. Fill in `credits`, or choose "
                f"“{PERIOD_CHOICES[UNLIMITED]}” or “{PERIOD_CHOICES[NONE]}” as the period."
            )
        case errors.UnknownZone(name=name):
            return f"There's no time zone “{plain(name, 60)}”. Choose one from the list, for example Europe/Berlin."
        case errors.AlreadyRequested(expires_at=expires_at):
            return f"The admins still have your last request. Ask again once they decide, or {relative(expires_at)}."
        case privacy_errors.ExportTooSoon(again_at=again_at):
            return f"You have just exported your data. You can do it again {relative(again_at)}."
        case errors.BadAmount(text=typed):
            return (
                f"“{plain(typed, 40)}” isn't a valid amount. Enter a number up to {AMOUNT_MAX:,}; nothing was granted."
            )
        case _:
            return None


def _out_of_credits(error: errors.NotEnoughCredits) -> str:
    """Out of credits: what is missing; on a second line what the member can still afford, and when there is more."""
    affordable = _still_affordable(error.affordable)
    if not error.allowance:
        if not error.left:
            return f"You have no credits to spend here. {NOTHING_CHARGED}"
        problem, step = f"but you have {number(error.left)}", affordable
    elif error.price > error.allowance:
        problem = f"but your allowance is only {number(error.allowance)}"
        if error.left != error.allowance:
            problem += f" and you have {number(error.left)} left"
        step = affordable
        if not step and not error.can_ask:  # else there is a button to ask for more
            fewer = error.left < error.allowance
            step = "Make fewer or smaller images." if fewer else "Ask an admin or the bot's owner for more."
    else:
        problem = f"but you have {number(error.left)}"
        step = f"{affordable}Your credits refill {relative(error.renews_at)}."
    return f"This costs {in_credits(error.price)}, {problem}. {NOTHING_CHARGED}\n{step}".rstrip()


def _still_affordable(options: Sequence[CheaperOption]) -> str:
    """What the member can afford instead, as a sentence; empty when there is nothing."""
    if not options:
        return ""
    named = [
        f"{f'{option.count} × ' if option.count > 1 else ''}{option.settings.model.value} "
        f"at {option.settings.resolution.value} ({in_credits(option.price)})"
        for option in options
    ]
    return f"You can still afford {' or '.join(named)}. "


def broken(reference: str) -> str:
    """For an error that a member can do nothing about; the reference finds it in the operator's log."""
    return (
        f"Something went wrong on my side (ref {reference}). {NOTHING_CHARGED} "
        "Try again, or give the bot's owner this reference."
    )
