"""The points between two steps at which a process can kill itself, by name."""

from collections.abc import Mapping
from typing import Final

COMMITS: Final = (
    "accept",
    "submitting",
    "running",
    "waiting again",
    "ready",
    "fail",
    "overdue",
    "cancel",
    "delivered",
    "undelivered",
    "upload stored",
    "draft stored",
    "key-value stored",
)
"""Write transactions, by what they write."""

STEPS: Final[Mapping[str, tuple[str, str]]] = {
    "acknowledge": ("discord:InteractionResponse", "defer"),
    "open modal": ("discord:InteractionResponse", "send_modal"),
    "open reply's card": ("bot.ui.replies", "open_card"),
    "accept request": ("bot.generation.service:GenerationService", "accept"),
    "prepare references": ("bot.generation.references:ReferencePreparer", "prepare"),
    "sanitize": ("bot.media.decode_sandbox:DecodeSandbox", "sanitize"),
    "KIE upload": ("bot.kie.client:KieClient", "upload"),
    "KIE create": ("bot.kie.client:KieClient", "create"),
    "KIE report": ("bot.kie.client:KieClient", "report"),
    "callback": ("bot.web.callback:CallbackRoute", "handle"),
    "spool": ("bot.media.spool:Spool", "ensure"),
    "show": ("bot.ui.message_sender:DiscordMessageSender", "show"),
    "deliver": ("bot.ui.message_sender:DiscordMessageSender", "deliver"),
    "post message": ("bot.ui.message_sender:DiscordMessageSender", "_post_message"),
    "remove stale card": ("bot.ui.message_sender:DiscordMessageSender", "_remove_stale"),
    "report refusal": ("bot.ui.errors:ErrorReporter", "report"),
    "recover": ("bot.app", "recover"),
    "report interrupted": ("bot.app", "report_interrupted"),
}
"""Steps that leave the process or take time, and where each is found: a module or class, and a name in it."""

CRASH_POINTS: Final = tuple(
    f"{side} {step}" for step in (*(f"commit: {name}" for name in COMMITS), *STEPS) for side in ("before", "after")
)


def step_of(point: str) -> str:
    """The step that a crash point is before or after."""
    return point.partition(" ")[2]
