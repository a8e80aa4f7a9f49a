"""The operator's pause: while it lasts no process accepts requests, and what was accepted goes on."""

from dataclasses import dataclass

import structlog
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from bot.domain.ids import UserId
from bot.runtime import Runtime
from bot.store.store import Transaction

log = structlog.stdlib.get_logger(__name__)

_KEY = "operator.paused"


@dataclass(frozen=True, slots=True)
class OperatorPause:
    """Since when, and why, in the operator's words, which every member reads who is refused."""

    since: AwareDatetime
    reason: str


_STORED = TypeAdapter(OperatorPause)


class OperatorPauses:
    """The pause is a row that is read for each request, so it holds at once in all processes, and after restarts."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def pause(self, reason: str, by: UserId) -> OperatorPause:
        """Refuse requests from now on; a pause that there is already goes on with this reason."""
        async with self._runtime.store.write() as tx:
            before = await read_operator_pause(tx)
            pause = OperatorPause(before.since if before is not None else self._runtime.now, reason)
            await tx.key_values.put(_KEY, _STORED.dump_json(pause).decode())
        log.warning("requests paused by the operator", user=by)
        return pause

    async def resume(self, by: UserId) -> OperatorPause | None:
        """Accept requests again; the pause that this ends, or None."""
        async with self._runtime.store.write() as tx:
            before = await read_operator_pause(tx)
            await tx.key_values.put(_KEY, "")
        if before is not None:
            log.warning("requests resumed by the operator", user=by)
        return before


async def read_operator_pause(tx: Transaction) -> OperatorPause | None:
    """The pause that is in force."""
    stored = await tx.key_values.get(_KEY)
    try:
        return _STORED.validate_json(stored) if stored else None
    except ValidationError:
        log.error("the operator's pause cannot be read: requests are accepted; use /ops pause again")
        return None
