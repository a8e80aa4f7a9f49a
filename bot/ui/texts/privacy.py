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
- The image service gets your prompts. It keeps images that you attach for a day, and its results for 14 days
- Images that I post are on Discord, not with me: delete one in its ⋯ menu"""
TEXT_SERVICE = """- A text service gets your prompt if you tick “Improve my prompt”, and only then"""
ERASING = """### Erasing your data
This takes about a minute. If an image is still being made, I finish and post it first; until then, you can't make \
new ones. Use /privacy to see whether it's done."""
_CREDITS = """- **Credits:** what you spent and were given, and limits that admins set for you. If you erase your \
data, the limits stay, and the amounts without your name"""
_PREFERENCES = "- **Your favourites and /preferences:** until you change or erase them"
_STAYS = """**What stays**
- **Images on Discord.** I can't delete them for you afterwards, so first delete those you want gone, in their ⋯ menus
- Messages to admins that name you: your reports, and your requests for more credits
- What images cost, without your prompts. Your Discord id stays with it until this month ends, because erasing must \
not refill your credits
- Limits that a server's admins set for you
- Styles and reference sets that you saved for a whole server
- The bot owner's earlier backups, until they are deleted"""


def stored(data: StoredData, kept_for: KeptFor) -> str:
    """What is stored, and for how long."""
    what = "prompt, settings, time, place, outcome, previews and a link to the result"
    requests = f"- **Your {counted(data.requests, 'request')}:** {what}. {_words_and_links(kept_for)}"
    lines = [requests, *_saved(data), _references(kept_for.references), _PREFERENCES, _short(kept_for), _CREDITS]
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
    left_out = "Discord doesn't accept a larger file from me. Ask the bot's owner if you need the rest."
    return f"### Your data\nThe newest **{requests:,}** of your {counted(total, 'request')}: {left_out}"


def _saved(data: StoredData) -> list[str]:
    saved = _counts(data)
    return [f"- **What you saved under a name:** {saved}, until you remove them"] if saved else []


def _counts(data: StoredData) -> str:
    """What the member has saved under a name."""
    counts = ((data.styles, "style"), (data.reference_sets, "reference set"))
    return " and ".join(counted(number, noun) for number, noun in counts if number)


def _words_and_links(kept_for: KeptFor) -> str:
    prompts, links = _time(kept_for.prompts), _time(kept_for.images)
    if prompts == links:
        return f"Prompts, previews and links are kept {prompts}"
    return f"Prompts are kept {prompts}, previews and links {links}"


def _references(kept: timedelta) -> str:
    if not kept:
        return "- **Images you attach:** not kept once the image service has them"
    return f"- **Images you attach:** a copy for repeating requests. Kept for {_days(kept)} after its last use"


def _short(kept_for: KeptFor) -> str:
    kept = {
        "forms you open": _time(kept_for.forms),
        "images that I couldn't post": _time(kept_for.undelivered, "until you use a command"),
        "reports you make": _time(kept_for.reports),
        "requests for more credits": _time(kept_for.credit_requests),
    }
    return f"- **For a while:** {'; '.join(f'{what}, {time}' for what, time in kept.items())}"


def _time(kept: timedelta | None, without_limit: str = "until you erase them") -> str:
    return without_limit if kept is None else f"for {_days(kept)}"


def _days(time: timedelta) -> str:
    days = time / timedelta(days=1)
    return counted(round(days), "day") if days >= 1 else counted(round(days * 24), "hour")


def _moment(moment: datetime) -> str:
    return f"<t:{int(moment.timestamp())}:f>"


def _day(moment: datetime) -> str:
    return f"<t:{int(moment.timestamp())}:D>"
