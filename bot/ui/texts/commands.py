"""Names, descriptions and choices of commands and their options; Discord shows at most 100 characters of each."""

from bot.domain.credits import PriceList
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.ui.texts.amounts import in_credits, number

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
RATIO_USES = {
    AspectRatio.SQUARE: "square",
    AspectRatio.LANDSCAPE: "landscape",
    AspectRatio.PORTRAIT: "portrait",
    AspectRatio.WIDE: "wide",
    AspectRatio.TALL: "phone screen",
    AspectRatio.PHOTO: "photo",
    AspectRatio.PHOTO_PORTRAIT: "upright photo",
    AspectRatio.AUTO: "as your first picture",
}
RESOLUTION_USES = {Resolution.ONE_K: "about 1 megapixel", Resolution.TWO_K: "about 4 megapixels, costs more"}


def model_choice(model: Model, prices: PriceList) -> str:
    """A model as a choice: what it is for and what it costs."""
    one, two = (prices.of(Settings(model, resolution=resolution)) for resolution in Resolution)
    return f"{model.value} · {_MODEL_USES[model]} · {in_credits(one)} ({number(two)} at 2K)"


def aspect_ratio_choice(ratio: AspectRatio) -> str:
    """A ratio as a choice: its shape in words."""
    return f"{ratio.value} · {RATIO_USES[ratio]}"


def resolution_choice(resolution: Resolution) -> str:
    """A resolution as a choice."""
    return f"{resolution.value} · {RESOLUTION_USES[resolution]}"
