"""How long members wait, before anything was measured and in line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.estimate import PUBLISHED_SECONDS, Capacity
from bot.domain.settings import Model, Resolution


def test_a_time_is_published_for_everything_that_can_be_chosen() -> None:
    assert set(PUBLISHED_SECONDS) == {(model, resolution) for model in Model for resolution in Resolution}


@pytest.mark.parametrize(
    ("position", "at_work", "seconds"),
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
        (1, 130, 0.2),  # more at work than KIE grants, as after a lowered limit
    ],
)
def test_the_wait_for_a_place_in_line(position: int, at_work: int, seconds: float) -> None:
    assert Capacity().estimate_wait(position, at_work, typical=20.0) == pytest.approx(seconds)


@given(st.integers(1, 2000), st.integers(0, 200), st.floats(1, 120))
def test_a_place_further_back_or_a_fuller_house_never_shortens_the_wait(
    position: int, at_work: int, typical: float
) -> None:
    capacity = Capacity()
    wait = capacity.estimate_wait(position, at_work, typical)
    assert wait >= 0
    assert capacity.estimate_wait(position + 1, at_work, typical) >= wait
    assert capacity.estimate_wait(position, at_work + 1, typical) >= wait
    assert capacity.estimate_wait(position, at_work, typical + 1) >= wait
