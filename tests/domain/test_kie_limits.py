"""How long members wait in line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.kie_limits import KIE_LIMITS


@pytest.mark.parametrize(
    ("position", "running", "seconds"),
    [
        (1, 0, 0),  # the first of twenty goes at once
        (20, 0, 0),
        (21, 0, 10),  # the second twenty go ten seconds later
        (40, 0, 10),
        (41, 0, 20),
        (100, 0, 40),
        (1, 99, 0),  # one place is left at KIE
        (1, 100, 0.2),  # none is left: one of a hundred tasks of 20 seconds ends every 0.2 seconds
        (10, 100, 2),
        (10, 95, 1),
        (500, 100, 240),  # the rate says 240 seconds, the places 100
        (1, 130, 0.2),  # more are running than KIE grants, as after a lowered limit
    ],
)
def test_the_wait_for_a_place_in_line(position: int, running: int, seconds: float) -> None:
    assert KIE_LIMITS.estimate_wait(position, running, typical=20.0) == pytest.approx(seconds)


@given(st.integers(1, 2000), st.integers(0, 200), st.floats(1, 120))
def test_a_place_further_back_or_a_fuller_house_never_shortens_the_wait(
    position: int, running: int, typical: float
) -> None:
    wait = KIE_LIMITS.estimate_wait(position, running, typical)
    assert wait >= 0
    assert KIE_LIMITS.estimate_wait(position + 1, running, typical) >= wait
    assert KIE_LIMITS.estimate_wait(position, running + 1, typical) >= wait
    assert KIE_LIMITS.estimate_wait(position, running, typical + 1) >= wait
