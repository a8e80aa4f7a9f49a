"""The words of the greeting and of /help. Names of commands become clickable: :mod:`bot.ui.command_mentions`."""

from decimal import Decimal

from bot.domain.credits import Allowance, Balance, PriceList
from bot.domain.settings import REFERENCES_MAX
from bot.ui.texts.amounts import in_credits, plain
from bot.ui.texts.cards import AGAIN, EDIT, MORE, REMIX
from bot.ui.texts.commands import EDIT_IMAGE
from bot.ui.texts.quota import BALANCE_TITLE, PRICES_TITLE, balance, per_period, price_lines

ADMINS = "For admins"
BACK = "Back"

_MENU = f"right-click it (on a phone, hold it) and choose **Apps**, **{EDIT_IMAGE}**"
_DATA = "**Your data**\n/privacy shows what I store about you, and lets you download or erase it."
_OWN = """**Find and reuse**
- /history finds your images again, and /favourites those you saved
- /style list and /references list show styles and saved images to choose in /imagine
- /preferences sets your defaults"""
_FIRST_SETTINGS = """- /quota set-default sets what each member may spend
- /quota pool limits what all members together may spend
- /quota settings chooses my channels, the time zone, who else may grant credits, where requests for more go, and \
where reports of images go"""
_LATER = """**Later**
- /quota set-role and /quota set-member set other limits; /quota clear removes them
- /quota grant gives bonus credits, and /quota reset clears what a member has spent
- /quota show, /quota log and /quota report show where the credits went"""
_RIGHTS = """-# You need Manage Server to change limits. Who sees which command is set under Server Settings, \
Integrations. Moderators can delete any of my images in its ⋯ menu."""


def greeting(name: str, mention: str, allowance: Allowance, cheapest: Decimal) -> list[str]:
    """The message in a new server, in parts: what it does, three things to try, who pays, and what admins do first."""
    return [
        f"### Hi, I'm {plain(name, 32)}\nI make images from your words, and change images you give me.",
        f"""**Try one of these**
- /imagine with a prompt: *a red fox in snow, morning light*
- {mention} *a lighthouse in a storm*, as a message in any channel
- Have an image already? {_MENU[0].upper()}{_MENU[1:]}""",
        f"""**Who pays**
The bot's owner. An image costs {in_credits(cheapest)} or more, and each member gets {per_period(allowance)} here. \
What fails costs nothing.""",
        f"**Admins: set this up first**\n{_FIRST_SETTINGS}",
        "-# /help shows everything else, /balance your credits, /privacy what I store.",
    ]


def help_page(mention: str, account: Balance, prices: PriceList, *, direct_messages: bool) -> list[str]:
    """What a member can do, what it costs them here, and where their data is."""
    directly = ["- Message me directly: there you needn't mention me"] if direct_messages else []
    ways = [
        "### How to make an image",
        f"- /imagine with a prompt, and up to {REFERENCES_MAX} images to work from",
        f"- Mention me with a prompt: {mention} *a red fox in snow*. Images in your message are used too",
        "- Reply to an image, mention me and say what to change",
        f"- Any message with an image: {_MENU}",
        f"- Below a result: **{AGAIN}** makes another one, **{EDIT}** changes it, **{REMIX}** reuses its prompt",
        f"- There too: **{MORE}** saves, downloads, shares, reports or deletes it",
        *directly,
    ]
    costs = [
        f"**{PRICES_TITLE}**",
        *price_lines(prices),
        f"{BALANCE_TITLE}: {balance(account)}",
        "-# What fails or is cancelled costs nothing. /balance shows more.",
    ]
    return ["\n".join(ways), _OWN, "\n".join(costs), _DATA]


def admin_page(allowance: Allowance) -> list[str]:
    """What those who manage a server can do."""
    now = f"Members without a limit of their own get {per_period(allowance)}."
    return [f"### For admins\n{now}", f"**First**\n{_FIRST_SETTINGS}", _LATER, _RIGHTS]
