"""Messages that were sent twice under one nonce."""

from time import monotonic
from typing import Any, final

from simcord.backend import Backend, serializers
from simcord.backend.models import Message

# Discord says "a few minutes": https://discord.com/developers/docs/resources/message#create-message
_WINDOW = 300.0


@final
class Nonces:
    """Remembers which message each channel got under which nonce, for a few minutes."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._sent: dict[tuple[int, str], tuple[int, float]] = {}

    def earlier(self, channel_id: int, body: dict[str, Any]) -> dict[str, Any] | None:
        """The message that this one repeats, as Discord answers it, if the sender asked for that check."""
        if not body.get("enforce_nonce") or body.get("nonce") is None:
            return None
        message_id, at = self._sent.get((channel_id, str(body["nonce"])), (0, 0.0))
        message: Message | None = self._backend.messages.get(channel_id, {}).get(message_id)
        if message is None or monotonic() - at > _WINDOW:
            return None
        return {**serializers.message_payload(self._backend, message), "nonce": body["nonce"]}

    def keep(self, body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        """Remember a message just sent; returns the answer with its nonce."""
        if body.get("nonce") is None:
            return answer
        self._sent[int(answer["channel_id"]), str(body["nonce"])] = (int(answer["id"]), monotonic())
        return {**answer, "nonce": body["nonce"]}
