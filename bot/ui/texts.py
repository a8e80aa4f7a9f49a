"""Every sentence that a member reads, in one place, so that it can be translated. Short, plain, with the next step."""

from datetime import datetime
from decimal import Decimal

from bot.domain.credits import Allowance, Balance, LedgerEntry, Movement, Period, PriceList
from bot.domain.errors import (
    AutoNeedsReference,
    ControlsNeedFlex,
    GenerationGone,
    NotEnoughCredits,
    NotYours,
    PromptLength,
    ReferenceProblem,
    ReferenceRefused,
    TooLateToCancel,
    TooManyOpen,
    UploadFailed,
    UserError,
)
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.domain.states import Failure

NOTHING_CHARGED = "Nothing was charged."
TOLD_PRIVATELY = "This did not work; whoever asked is told why."
CANCEL = "Cancel"
CANCELLED = "Cancelled. Nothing was charged."
LATE = "This one took long, so it is free: its credits had been given back."
PAINTING = "painting"
NEXT_IN_LINE = "next in line"

_PERIODS = {Period.DAY: "today", Period.WEEK: "this week", Period.MONTH: "this month"}
_PER_PERIOD = {Period.DAY: "a day", Period.WEEK: "a week", Period.MONTH: "a month"}

_PROBLEMS = {
    ReferenceProblem.TOO_LARGE: "is over 50 MB. Attach a smaller one.",
    ReferenceProblem.NOT_AN_IMAGE: "is not a picture that I can read. Attach a JPEG, PNG, WebP, HEIC or the like.",
    ReferenceProblem.DAMAGED: "is damaged or cut off. Save it again and attach that.",
    ReferenceProblem.TOO_MANY_PIXELS: "has too many pixels. Scale it below 50 megapixels.",
    ReferenceProblem.UNREACHABLE: "could not be loaded from Discord. Attach it again.",
}

_FAILURES = {
    Failure.MODERATED: "KIE's safety filter declined this. Try other words or another picture.",
    Failure.OUT_OF_CREDITS: "The bot's KIE account has run out of credits. Tell whoever runs the bot.",
    Failure.MAINTENANCE: "KIE is down for maintenance. Try again in a while.",
    Failure.KEY_REFUSED: "KIE refused the bot's key. Tell whoever runs the bot.",
    Failure.REJECTED: "KIE did not accept these settings. Try others.",
    Failure.REFERENCE_UNREADABLE: "KIE could not read one of the pictures. Attach it again, or another one.",
    Failure.TOO_SLOW: "This took too long. If the picture still comes, you get it for free.",
    Failure.UNAVAILABLE: "KIE cannot be reached or is too busy. Try again in a while.",
    Failure.BROKEN: "Something broke at KIE. Try again.",
    Failure.NO_IMAGE: "KIE finished but gave no usable picture. Try again.",
    Failure.UNKNOWN_OUTCOME: "The connection to KIE broke off while asking. Try again.",
    Failure.UNDELIVERABLE: "The picture could not be posted here.",
}


def number(value: Decimal | float) -> str:
    """Whole when whole, else with as few digits as it takes."""
    return f"{Decimal(value).normalize():f}"


def in_credits(value: Decimal) -> str:
    """An amount of credits with its unit."""
    return f"{number(value)} credit{'' if value == 1 else 's'}"


def relative(moment: datetime) -> str:
    """A moment that the reader's own client counts down to."""
    return f"<t:{int(moment.timestamp())}:R>"


def refusal(error: UserError) -> str:
    """What happened, that it cost nothing, and what to do."""
    match error:
        case PromptLength(length=length, minimum=minimum, maximum=maximum):
            text = f"A prompt has {minimum} to {maximum:,} characters, and yours has {length:,}. {NOTHING_CHARGED}"
        case AutoNeedsReference():
            text = f"The aspect ratio “auto” follows a picture. Attach one or choose another ratio. {NOTHING_CHARGED}"
        case ControlsNeedFlex():
            text = f"Steps and guidance work with the model flex only. Choose flex or leave them out. {NOTHING_CHARGED}"
        case ReferenceRefused(filename=filename, problem=problem):
            text = f"{plain(filename, 80)} {_PROBLEMS[problem]} {NOTHING_CHARGED}"
        case UploadFailed():
            text = f"KIE did not take your picture. Try again in a while. {NOTHING_CHARGED}"
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
        case NotYours():
            text = "Only the one who asked for this picture can do that."
        case TooLateToCancel():
            text = "KIE is already painting, so this cannot be cancelled any more."
        case GenerationGone():
            text = "This picture is too old for its buttons: nothing is known of it any more. Ask anew with /imagine."
        case _:
            text = f"That did not work. {NOTHING_CHARGED}"
    return text


def broken(reference: str) -> str:
    """For what a member cannot understand: a reference that the operator finds in the log."""
    return f"Something broke on our side (ref {reference}). {NOTHING_CHARGED}"


FORBIDDEN = "You are not allowed to do that here."
OUTDATED = "This command has changed. Reload Discord and try again."


def failure(reason: Failure) -> str:
    """Why there is no picture."""
    return _FAILURES[reason]


def in_line(place: int) -> str:
    """A place in line, 1 being next."""
    if place == 1:
        return NEXT_IN_LINE
    ending = "th" if place % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending} in line"


def expected(moment: datetime) -> str:
    """When the picture should be there."""
    return f"expected {relative(moment)}"


def some_ready(done: int, count: int) -> str:
    """How many of several pictures are there."""
    return f"{done} of {count} ready"


def partly(done: int, count: int) -> str:
    """Some pictures came, others did not."""
    return f"{done} of {count} pictures came; nothing was charged for the rest."


def left(balance: Balance) -> str:
    """What is left of an allowance."""
    return f"{number(balance.left)} left {_PERIODS[balance.allowance.period]}"


def price(amount: Decimal) -> str:
    """A price, or that there is none."""
    return in_credits(amount) if amount else "free"


def settings(chosen: Settings, references: int) -> list[str]:
    """The settings in short, piece by piece."""
    pieces = [f"flux-2 {chosen.model.value}", chosen.aspect_ratio.value, chosen.resolution.value]
    if chosen.steps is not None:
        pieces.append(f"{chosen.steps} steps")
    if chosen.guidance is not None:
        pieces.append(f"guidance {number(Decimal(str(chosen.guidance)))}")
    if references:
        pieces.append(f"{references} reference{'' if references == 1 else 's'}")
    return pieces


COMMAND_IMAGINE = "Make a picture from words, or from up to eight pictures and words"
COMMAND_BALANCE = "Show your credits, the prices, and where your credits went"
OPTION_PROMPT = "What the picture should show, in 3 to 5,000 characters"
OPTION_IMAGE = "A picture to work from; in the prompt it is image 1"
OPTION_FURTHER_IMAGE = "One more picture to work from"
OPTION_MODEL = "Which model paints (pro unless you choose)"
OPTION_ASPECT_RATIO = "The picture’s shape (1:1 unless you choose; that of your first picture if you attach one)"
OPTION_RESOLUTION = "How large the picture is (1K unless you choose)"
OPTION_COUNT = "How many pictures to make; each is paid for"
OPTION_PRIVATE = "Show it to you alone"
OPTION_STEPS = "flex only: how many steps to refine the picture"
OPTION_GUIDANCE = "flex only: how closely to follow the prompt"

_MODEL_USES = {Model.PRO: "fast", Model.FLEX: "finest detail and text"}
_RATIO_USES = {
    AspectRatio.SQUARE: "square",
    AspectRatio.LANDSCAPE: "landscape",
    AspectRatio.PORTRAIT: "portrait",
    AspectRatio.WIDE: "wide",
    AspectRatio.TALL: "phone screen",
    AspectRatio.PHOTO: "photo",
    AspectRatio.PHOTO_PORTRAIT: "upright photo",
    AspectRatio.AUTO: "as your first picture",
}
_RESOLUTION_USES = {Resolution.ONE_K: "about 1 megapixel", Resolution.TWO_K: "about 4 megapixels, costs more"}


def model_choice(model: Model, prices: PriceList) -> str:
    """A model as a choice: what it is for and what it costs."""
    one, two = (prices.of(Settings(model, resolution=resolution)) for resolution in Resolution)
    return f"{model.value} · {_MODEL_USES[model]} · {in_credits(one)} ({number(two)} at 2K)"


def aspect_ratio_choice(ratio: AspectRatio) -> str:
    """A ratio as a choice: its shape in words."""
    return f"{ratio.value} · {_RATIO_USES[ratio]}"


def resolution_choice(resolution: Resolution) -> str:
    """A resolution as a choice."""
    return f"{resolution.value} · {_RESOLUTION_USES[resolution]}"


def price_lines(prices: PriceList) -> list[str]:
    """What each model costs, a line each."""
    return [model_choice(model, prices) for model in Model]


BALANCE_TITLE = "Your credits"
PRICES_TITLE = "What a picture costs"
MOVEMENTS_TITLE = "Last movements"
NO_MOVEMENTS = "None yet. Make a picture with /imagine."


def allowance(balance: Balance) -> str:
    """What is left, of how much, and when it renews."""
    granted: Allowance = balance.allowance
    return (
        f"**{number(balance.left)}** of {number(granted.credits)} left {_PERIODS[granted.period]}"
        f" · {in_credits(granted.credits)} {_PER_PERIOD[granted.period]} · renews {relative(balance.renews_at)}"
    )


def movement(entry: LedgerEntry) -> str:
    """One line of the ledger."""
    sign = "+" if entry.credits > 0 else "−"
    what = "given back" if entry.movement is Movement.REFUND else "spent"
    made = f"flux-2 {entry.settings.model.value} {entry.settings.resolution.value}"
    return f"{sign}{number(abs(entry.credits))} {what} · {made} · {relative(entry.at)}"


def plain(text: str, limit: int) -> str:
    """Somebody else's words on one line, at most ``limit`` characters cut at a word, with no markdown left in them."""
    line = shortened(text, limit)
    return "".join(f"\\{char}" if char in _MARKDOWN else char for char in line)


def shortened(text: str, limit: int) -> str:
    """Text on one line, cut at a word with an ellipsis."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) > limit // 2 else cut).rstrip(" ,.;:") + "…"


_MARKDOWN = frozenset("\\`*_~|<>[]()#@:-")
