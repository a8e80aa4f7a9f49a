"""The words of /privacy."""

from datetime import datetime, timedelta

from bot.domain.erasure import KeptFor, StoredData
from bot.ui.texts.amounts import counted, in_bonus_credits

FILENAME = "easel-my-data.zip"
EXPORT = "Download my data"
ERASE = "Erase my data…"
ERASE_ALL = "Erase everything"
KEEP = "Keep everything"

ELSEWHERE = """**What others store**
- The image service keeps images that you attach for a day, and its results for 14 days
- Images that I post are on Discord, not with me: delete one in its ⋯ menu"""
TEXT_SERVICE = """- A text service gets your prompt if you tick “Improve my prompt”, and only then"""
ERASING = """### Erasing your data
This takes about a minute. If an image is still being made, I finish and post it first; until then, you can't make \
new ones. Use /privacy to see whether it's done."""
_CREDITS = """- **Credits:** what each image cost and what you were given. If you erase your data, the amounts stay, \
without your name"""
_PREFERENCES = "- **Your favourites and /preferences:** until you change or erase them"
_STAYS = """**What stays**
- **Images on Discord.** I can't delete them for you afterwards, so first delete those you want gone, in their ⋯ menus
- What images cost, without your prompts. Your Discord id stays with it until this month ends, because erasing must \
not refill your credits
- Limits that a server's admins set for you
- Styles and reference sets that you saved for a whole server
- Backups that the bot's owner made before, until they are deleted"""


def stored(data: StoredData, kept_for: KeptFor) -> str:
    """What is stored, and for how long."""
    what = "prompt, settings, time, outcome, previews and a link to the result"
    requests = f"- **Your {counted(data.requests, 'request')}:** {what}."
    images, short = _references(kept_for.references), _short(kept_for.undelivered)
    lines = [f"{requests} {_until(kept_for.prompts)}", *_saved(data), images, _PREFERENCES, short, _CREDITS]
    return "\n".join(["### Your data", *lines])


def erasure_state(data: StoredData) -> list[str]:
    """How far an erasure is; nothing when there was none."""
    erasure = data.erasure
    if erasure is None:
        return []
    if erasure.erased_at is None or erasure.unname_at is None:
        waits = "I'm waiting for images that are still being made; until then, you can't make new ones."
        return [f"⏳ **Being erased** since {_moment(erasure.asked_at)}. {waits}"]
    amounts = f"Amounts from before stay under your Discord id until {_day(erasure.unname_at)}."
    return [f"✅ **Erased** {_moment(erasure.erased_at)}. {amounts}"]


def question(data: StoredData) -> list[str]:
    """What erasing does, before the second press."""
    requests = f"**{counted(data.requests, 'request')}** in all servers and direct messages"
    goes = [
        f"Your {requests}: prompts, attached images, previews and links",
        "Your favourites, /preferences, reports and open requests for more credits",
    ]
    if saved := _counts(data):
        goes.append(f"What you saved under a name: {saved}, with the images")
    if data.waiting:
        goes.append(f"What hasn't started ({counted(data.waiting, 'request')}) is cancelled and refunded")
    if data.bonus:
        goes.append(f"**Your {in_bonus_credits(data.bonus)}**")
    goes.append("The buttons below your images, including ⋯ with Delete: they stop working")
    return [
        "### Erase everything?\nThis can't be undone. Download your data first if you want a copy.",
        "\n".join(["**What goes**", *(f"- {line}" for line in goes)]),
        _STAYS,
    ]


def exported(requests: int, total: int) -> str:
    """With the file."""
    if requests >= total:
        return f"### Your data\n{counted(total, 'request')} and your credits, as a ZIP file."
    left_out = "Discord takes no larger file from me. Ask the bot's owner if you need the rest."
    return f"### Your data\nThe newest **{requests:,}** of your {counted(total, 'request')}: {left_out}"


def _saved(data: StoredData) -> list[str]:
    saved = _counts(data)
    return [f"- **What you saved under a name:** {saved}, until you remove them"] if saved else []


def _counts(data: StoredData) -> str:
    """What the member has saved under a name."""
    counts = ((data.styles, "style"), (data.reference_sets, "reference set"))
    return " and ".join(counted(number, noun) for number, noun in counts if number)


def _until(prompts: timedelta | None) -> str:
    return "Kept until you erase them" if prompts is None else f"Kept for {_days(prompts)}"


def _references(kept: timedelta) -> str:
    if not kept:
        return "- **Images you attach:** not kept once the image service has them"
    return f"- **Images you attach:** a copy for repeating requests. Kept for {_days(kept)} after its last use"


def _short(undelivered: timedelta | None) -> str:
    kept = f"for {_days(undelivered)}" if undelivered else "until you use a command"
    return f"- **For a short time:** forms you open, for a day; images that I couldn't post, {kept}"


def _days(time: timedelta) -> str:
    days = time / timedelta(days=1)
    return counted(round(days), "day") if days >= 1 else counted(round(days * 24), "hour")


def _moment(moment: datetime) -> str:
    return f"<t:{int(moment.timestamp())}:f>"


def _day(moment: datetime) -> str:
    return f"<t:{int(moment.timestamp())}:D>"
