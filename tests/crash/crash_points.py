"""The points between two steps at which a process can kill or stop itself, by name."""

import json
import signal
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Final, Self

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

CLUSTER_STEPS: Final[Mapping[str, tuple[str, str]]] = {
    "acquire lease": ("bot.store.leases:PostgresLeases", "acquire"),
    "renew lease": ("bot.store.leases:PostgresLeases", "renew"),
    "lead": ("bot.cluster.leader:Leader", "take"),
    "take shards": ("bot.cluster.blocks:GatewayBlock", "plan"),
    "identify": ("bot.cluster.identify:IdentifyTurns", "identifying"),
    "send notice": ("bot.store.notices:NoticeRepository", "send"),
    "take notice": ("bot.generation.notices:NoticeWorker", "_take"),
}
"""Those of a process that shares its database with others."""


def _around(steps: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{side} {step}" for step in steps for side in ("before", "after"))


CRASH_POINTS: Final = _around((*(f"commit: {name}" for name in COMMITS), *STEPS))
CLUSTER_POINTS: Final = (*CRASH_POINTS, *_around(CLUSTER_STEPS))


@dataclass(frozen=True, slots=True)
class Crash:
    """A process that reaches ``point`` for the ``nth`` time sends itself ``signal``."""

    point: str
    nth: int = 1
    signal: int = signal.SIGKILL

    @classmethod
    def from_json(cls, text: str) -> Self:
        """As it stands in the file that a process reads."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """For that file."""
        return json.dumps(asdict(self))


def step_of(point: str) -> str:
    """The step that a crash point is before or after."""
    return point.partition(" ")[2]
