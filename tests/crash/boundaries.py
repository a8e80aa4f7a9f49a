"""The boundaries between two steps at which a victim can end itself, by name."""

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
    "upload noted",
    "draft kept",
    "fact kept",
)
"""The write transactions, by what they write down."""

CALLS: Final[Mapping[str, tuple[str, str]]] = {
    "acknowledge": ("discord:InteractionResponse", "defer"),
    "open modal": ("discord:InteractionResponse", "send_modal"),
    "open reply's card": ("bot.ui.replies", "open_card"),
    "take wish": ("bot.generation.service:Generations", "accept"),
    "take references": ("bot.generation.references:ReferencePreparer", "prepare"),
    "develop": ("bot.media.decode_sandbox:DecodeSandbox", "sanitize"),
    "KIE upload": ("bot.kie.client:KieClient", "upload"),
    "KIE create": ("bot.kie.client:KieClient", "create"),
    "KIE report": ("bot.kie.client:KieClient", "report"),
    "callback": ("bot.web.callback:CallbackRoute", "handle"),
    "spool": ("bot.media.spool:Spool", "ensure"),
    "show": ("bot.ui.message_sender:DiscordDeliverer", "show"),
    "deliver": ("bot.ui.message_sender:DiscordDeliverer", "deliver"),
    "post message": ("bot.ui.message_sender:DiscordDeliverer", "_as_message"),
    "remove stale card": ("bot.ui.message_sender:DiscordDeliverer", "_remove_stale"),
    "tell refusal": ("bot.ui.errors:Reporter", "report"),
    "recover": ("bot.app", "recover"),
    "apologise": ("bot.app", "apologise"),
}
"""Steps that leave the process or last, and where each is found: a module or class, and a name in it."""

BOUNDARIES: Final = tuple(
    f"{side} {step}" for step in (*(f"commit: {name}" for name in COMMITS), *CALLS) for side in ("before", "after")
)
"""Every one of them."""
