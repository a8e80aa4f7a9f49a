"""Server settings: where the bot may be used."""

import pytest

from bot.domain.ids import ChannelId
from bot.domain.rules import ServerSettings


@pytest.mark.parametrize(
    ("channels", "places", "allowed"),
    [
        ((), (5,), True),
        ((5, 6), (6,), True),
        ((5, 6), (7,), False),
        # A thread is allowed with its channel, or by itself.
        ((5,), (70, 5), True),
        ((70,), (70, 5), True),
        ((5,), (70, 6), False),
        ((5,), (None, None), False),
        ((), (None, None), True),
    ],
)
def test_where_the_bot_may_be_used(channels: tuple[int, ...], places: tuple[int | None, ...], *, allowed: bool) -> None:
    settings = ServerSettings(channels=frozenset(map(ChannelId, channels)))
    assert settings.allows(*(None if place is None else ChannelId(place) for place in places)) is allowed
