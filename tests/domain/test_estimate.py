"""How long things take, as members are shown."""

from dataclasses import replace
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.estimate import PUBLISHED_SECONDS, Capacity, Durations
from bot.domain.settings import Model, Resolution, TaskClass

PRO = TaskClass(Model.PRO, Resolution.ONE_K, has_references=False)
FLEX = TaskClass(Model.FLEX, Resolution.ONE_K, has_references=False)


@pytest.mark.parametrize("has_references", [False, True])
@pytest.mark.parametrize(("model", "resolution"), PUBLISHED_SECONDS)
def test_before_anything_was_measured_the_published_time_counts(
    model: Model, resolution: Resolution, *, has_references: bool
) -> None:
    assert Durations().typical(TaskClass(model, resolution, has_references)) == PUBLISHED_SECONDS[model, resolution]


def test_a_time_is_published_for_everything_that_can_be_chosen() -> None:
    assert set(PUBLISHED_SECONDS) == {(model, resolution) for model in Model for resolution in Resolution}


def test_one_measurement_replaces_what_is_published() -> None:
    assert Durations([(PRO, 40.0)]).typical(PRO) == 40.0


def test_an_outlier_does_not_move_the_typical_time() -> None:
    assert Durations([(PRO, seconds) for seconds in (12.0, 13.0, 500.0)]).typical(PRO) == 13.0


@pytest.mark.parametrize("other", [FLEX, replace(PRO, resolution=Resolution.TWO_K), replace(PRO, has_references=True)])
def test_classes_of_tasks_are_kept_apart(other: TaskClass) -> None:
    durations = Durations([(other, 300.0)])
    assert durations.typical(PRO) == PUBLISHED_SECONDS[PRO.model, PRO.resolution]


@given(st.lists(st.floats(0.1, 600), min_size=1, max_size=250))
def test_the_last_hundred_count(measured: list[float]) -> None:
    durations = Durations()
    for seconds in measured:
        durations.add(PRO, seconds)
    assert durations.typical(PRO) == median(measured[-100:])


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
    assert Capacity().wait(position, at_work, typical=20.0) == pytest.approx(seconds)


@given(st.integers(1, 2000), st.integers(0, 200), st.floats(1, 120))
def test_a_place_further_back_or_a_fuller_house_never_shortens_the_wait(
    position: int, at_work: int, typical: float
) -> None:
    capacity = Capacity()
    wait = capacity.wait(position, at_work, typical)
    assert wait >= 0
    assert capacity.wait(position + 1, at_work, typical) >= wait
    assert capacity.wait(position, at_work + 1, typical) >= wait
    assert capacity.wait(position, at_work, typical + 1) >= wait
