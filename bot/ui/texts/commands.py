"""Descriptions and choices of commands and their options. Discord shows at most 100 characters of each."""

from bot.domain.credits import Period, PriceList
from bot.domain.rules import ReplyMode, Scope
from bot.domain.settings import PROMPT_MAX, PROMPT_MIN, REFERENCES_MAX, AspectRatio, Model, Resolution, Settings
from bot.ui.texts.amounts import in_credits, number

EDIT_IMAGE = "Edit image"
"""The entry in the menu of a message."""

IMAGINE = f"Make an image from a prompt, or from a prompt and up to {REFERENCES_MAX} images"
PROMPT = f"What the image should show ({PROMPT_MIN} to {PROMPT_MAX:,} characters)"
MODEL = "Model to use (default: yours in /preferences, or pro)"
ASPECT_RATIO = "Shape of the image (default: that of your first image, yours in /preferences, or 1:1)"
RESOLUTION = "Size of the image (default: yours in /preferences, or 1K)"
COUNT = "How many images to make (each costs credits)"
PRIVATE = "Only you can see the result"
STEPS = "flex only: how many refinement steps"
GUIDANCE = "flex only: how closely to follow the prompt"

BALANCE = "Show your credits, the prices and your recent activity"

SAVE_IMAGE = "Save image"
"""The entry in the menu of a message."""
HISTORY = "Look through the images you made, in all servers"
FAVOURITES = "Look through the images you saved as favourites"
SEARCH = "Whole words of the prompt, for example: red fox"
ONLY_FAVOURITES = "Only your favourites"
THIS_SERVER = "Only images made in this server"
OF_MODEL = "Only images made with this model"
PREFERENCES = "Set your defaults, and choose when I ask first or ping you"

PRIVACY = "See what I store about you, download it or erase it"

HELP = "See how to make images, what they cost here, and what I store"

OPS = "Look after the bot"
OPS_STATUS = "Show how the bot is doing: Discord, KIE, work, money, database and process"
OPS_SERVERS = "Show what each server spends, with its members, images and last use"
OPS_PAUSE = "Refuse new requests in all servers and tell members why; accepted requests continue"
OPS_RESUME = "Accept requests again"
OPS_BACKUP = "Back up the database while the bot runs, and check the copy"
PAUSE_REASON = "What members read: “Image making is paused. Nothing was charged. Reason: …”"

QUOTA = "Decide who may spend how much"
QUOTA_SHOW = "Show a member's allowance and balance, and the server pool"
QUOTA_SET_DEFAULT = "Set the allowance for members without a limit of their own"
QUOTA_SET_ROLE = "Set a role's allowance; a member with several roles gets the largest"
QUOTA_SET_MEMBER = "Set one member's allowance, whatever their roles"
QUOTA_CLEAR = "Remove the limit of a member, a role or the server"
CLEAR_SERVER = "Which of the server's limits"
SERVER_LIMITS = {Scope.SERVER: "default for members", Scope.POOL: "server pool"}
QUOTA_GRANT = "Give a member bonus credits, which don't expire"
QUOTA_RESET = "Reset what a member has spent in the current period"
QUOTA_POOL = "Limit what all members together may spend"
QUOTA_REPORT = "Show where the credits went, as a chart and a table"
QUOTA_LOG = "Show the credit log: what was spent, granted and changed, by whom and why"
QUOTA_SETTINGS = "Show or change the time zone, channels, quota managers and what replies do"

QUOTA_CREDITS = "Credits per period; leave empty for “unlimited” or “no credits”"
QUOTA_PERIOD = "How often credits refill"
QUOTA_MEMBER = "Which member"
QUOTA_ROLE = "Which role"
GRANT_CREDITS = "How many credits"
GRANT_REASON = "Why; shown to the member and in the credit log"
REPORT_PERIOD = "Which period (default: this month)"
SETTINGS_TIMEZONE = "Time zone in which days begin, for example Europe/Berlin"
SETTINGS_ALLOW_CHANNEL = "Add an allowed channel; the bot then works only in allowed channels"
SETTINGS_FORBID_CHANNEL = "Remove an allowed channel; with none left, the bot works everywhere"
SETTINGS_MANAGER_ROLE = "Role that may also grant credits to others; choose @everyone to remove it"
SETTINGS_MANAGER_LIMIT = "Credits that each member with that role may grant per month"
SETTINGS_REQUESTS_CHANNEL = "Where members' requests for more credits are posted"
SETTINGS_STOP_REQUESTS = "Turn off requests for more credits"
SETTINGS_REPORTS_CHANNEL = "Where moderators read members' reports of images, and decide"
SETTINGS_STOP_REPORTS = "Turn off reports of images"
SETTINGS_REPLIES = "What happens when a member replies to the bot without mentioning it"
REPLY_MODES = {
    ReplyMode.EDIT: "edit at once",
    ReplyMode.ASK: "ask first, unless the reply has images of its own",
    ReplyMode.MENTION: "nothing: only mentions count",
}

UNLIMITED = "unlimited"
NONE = "none"
PERIOD_CHOICES = {
    Period.DAY.value: "every day",
    Period.WEEK.value: "every week",
    Period.MONTH.value: "every month",
    UNLIMITED: "unlimited",
    NONE: "no credits",
}
REPORT_PERIODS = {Period.DAY: "today", Period.WEEK: "this week", Period.MONTH: "this month"}

_MODEL_USES = {Model.PRO: "fast", Model.FLEX: "best detail and text"}
_RATIO_USES = {
    AspectRatio.SQUARE: "square",
    AspectRatio.LANDSCAPE: "landscape",
    AspectRatio.PORTRAIT: "portrait",
    AspectRatio.WIDE: "wide",
    AspectRatio.TALL: "phone screen",
    AspectRatio.PHOTO: "photo",
    AspectRatio.PHOTO_PORTRAIT: "tall photo",
    AspectRatio.AUTO: "same shape as your first image",
}
_RESOLUTION_USES = {Resolution.ONE_K: "about 1 megapixel", Resolution.TWO_K: "about 4 megapixels, costs more"}


def image(number_: int) -> str:
    """The option for one of the images to work from, the first being 1."""
    return f"{'An' if number_ == 1 else 'Another'} image to work from; your prompt can call it image {number_}"


def model_choice(model: Model, prices: PriceList) -> str:
    """A model as a choice: what it is good for and what it costs."""
    one_k, two_k = (prices.of(Settings(model, resolution=resolution)) for resolution in Resolution)
    return f"{model.value} · {_MODEL_USES[model]} · {in_credits(one_k)} ({number(two_k)} at 2K)"


def aspect_ratio_choice(ratio: AspectRatio) -> str:
    """A ratio as a choice, its shape in words."""
    return f"{ratio.value} · {_RATIO_USES[ratio]}"


def resolution_choice(resolution: Resolution) -> str:
    """A resolution as a choice."""
    return f"{resolution.value} · {_RESOLUTION_USES[resolution]}"
