"""Why a member's data cannot be exported, or a request accepted while data is erased."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.errors import UserError


class BeingErased(UserError):
    """The member's or server's data is being erased, which waits for what is still being made."""


@dataclass(eq=False)
class ExportTooSoon(UserError):
    """The member's data was exported a short time ago, or is being exported."""

    again_at: datetime
