"""Identifiers: Discord's and KIE's as they come, and our own, which sort by time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NewType

UserId = NewType("UserId", int)
GuildId = NewType("GuildId", int)
ChannelId = NewType("ChannelId", int)
MessageId = NewType("MessageId", int)
KieTaskId = NewType("KieTaskId", str)
GenerationId = NewType("GenerationId", int)
TaskId = NewType("TaskId", int)
ImageId = NewType("ImageId", int)
"""An image's id is the number of the task that made it."""
DraftId = NewType("DraftId", int)
RoleId = NewType("RoleId", int)
PendingCardId = NewType("PendingCardId", int)
"""Discord's id of the interaction or message that the card answers."""
CreditRequestId = NewType("CreditRequestId", int)
"""Of a member's request for more credits."""
StyleId = NewType("StyleId", int)
ReferenceSetId = NewType("ReferenceSetId", int)

DIRECT_MESSAGES = GuildId(0)
"""The server id of accounts in direct messages, which have an allowance of their own."""

_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
_PROCESS_BITS, _SEQUENCE_BITS = 10, 12
PROCESSES = 1 << _PROCESS_BITS
"""How many processes can make ids at once."""
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class IdMaker:
    """Makes 64-bit ids like Discord's snowflakes: 42 bits of milliseconds since 2015, ten of a process, twelve count.

    The ids of one maker strictly increase, even when the clock is set back. Those of two makers differ when the numbers
    of their processes do. ``start`` is where both begin: the number in its upper ten of 22 bits, the counter below.
    """

    def __init__(self, now: Callable[[], datetime], *, start: int) -> None:
        self._now = now
        self.process = (start >> _SEQUENCE_BITS) % PROCESSES
        """The process's number; a process whose number is agreed on with others sets it before it makes ids."""
        self._sequence = start % (1 << _SEQUENCE_BITS)
        self._last = 0

    def __call__(self) -> int:
        """The next id."""
        millis = int((self._now() - _EPOCH).total_seconds() * 1000)
        self._sequence = (self._sequence + 1) % (1 << _SEQUENCE_BITS)
        # Time and counter alone increase: a counter that overflows goes on in the next millisecond, as this process.
        self._last = max(millis << _SEQUENCE_BITS | self._sequence, self._last + 1)
        millis, sequence = divmod(self._last, 1 << _SEQUENCE_BITS)
        return (millis << _PROCESS_BITS | self.process) << _SEQUENCE_BITS | sequence


def first_snowflake(moment: datetime) -> int:
    """The smallest id that could have been made at that moment."""
    return max(int((moment - _EPOCH).total_seconds() * 1000), 0) << _PROCESS_BITS + _SEQUENCE_BITS


def snowflake_time(identifier: int) -> datetime:
    """When an id was made, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=identifier >> _PROCESS_BITS + _SEQUENCE_BITS)


def message_link(guild: GuildId, channel: ChannelId, message: MessageId) -> str:
    """The address of a message, which Discord's clients open."""
    return f"https://discord.com/channels/{'@me' if guild == DIRECT_MESSAGES else guild}/{channel}/{message}"


def to_base36(identifier: int) -> str:
    """The id in base 36: for custom ids, nonces, and error references that a person may read out."""
    digits = ""
    while identifier:
        identifier, digit = divmod(identifier, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"


def from_base36(text: str) -> int:
    """The reverse of :func:`to_base36`; raises ValueError for anything that is not a 63-bit number."""
    number = int(text, 36)
    if not 0 <= number < 1 << 63:
        raise ValueError("not an id")
    return number
