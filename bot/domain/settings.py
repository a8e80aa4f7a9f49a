"""What a member can choose for an image, in KIE's terms and limits (docs.kie.ai)."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

PROMPT_MIN = 3
PROMPT_MAX = 5000
REFERENCES_MAX = 8
COUNT_MAX = 4
STEPS = range(1, 51)
GUIDANCE_MIN = 1.5
GUIDANCE_MAX = 10.0


class Model(StrEnum):
    """The two FLUX.2 families that KIE serves."""

    PRO = "pro"
    FLEX = "flex"


class Resolution(StrEnum):
    """KIE's two output sizes: about one and about four megapixels."""

    ONE_K = "1K"
    TWO_K = "2K"


class AspectRatio(StrEnum):
    """KIE's aspect ratios; ``auto`` takes that of the first reference, and needs one."""

    SQUARE = "1:1"
    LANDSCAPE = "4:3"
    PORTRAIT = "3:4"
    WIDE = "16:9"
    TALL = "9:16"
    PHOTO = "3:2"
    PHOTO_PORTRAIT = "2:3"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Settings:
    """How an image is made. Steps and guidance exist for flex only, and are sent only when given."""

    model: Model = Model.PRO
    aspect_ratio: AspectRatio = AspectRatio.SQUARE
    resolution: Resolution = Resolution.ONE_K
    steps: int | None = None
    guidance: float | None = None


@dataclass(frozen=True, slots=True)
class CheaperOption:
    """Settings and a count that cost less than what was asked for."""

    settings: Settings
    count: int
    price: Decimal
    """In credits, for all images."""


@dataclass(frozen=True, slots=True)
class TaskClass:
    """What decides how long a task takes, as far as Easel knows."""

    model: Model
    resolution: Resolution
    has_references: bool
