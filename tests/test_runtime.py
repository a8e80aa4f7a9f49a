"""The clock: what counts as a jump, and what does not follow it."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from bot.runtime import SystemClock

NOW = 1_800_000_000.0
ALWAYS = datetime.min.replace(tzinfo=UTC)
DAY = timedelta(days=1)


class Machine:
    """Its two clocks."""

    def __init__(self) -> None:
        self.wall, self.monotonic = NOW, 50.0
        self.clock = SystemClock(lambda: self.wall, lambda: self.monotonic)

    def run(self, seconds: float, *, drift: float = 0.0) -> None:
        self.monotonic += seconds
        self.wall += seconds + drift


@pytest.mark.parametrize("jump", [-3600, -6, 6, 3600, 86_400 * 365])
def test_a_jump_is_logged_once_moves_no_duration_and_deletes_nothing_for_ten_minutes(jump: float) -> None:
    machine = Machine()
    machine.run(601)
    before = machine.clock.steady()
    assert machine.clock.is_settled()
    machine.wall += jump
    machine.run(2)
    with capture_logs() as logs:
        assert machine.clock.forget_before(DAY) == ALWAYS
        assert machine.clock.now().timestamp() == machine.wall
    assert [(log["log_level"], log["seconds"]) for log in logs] == [("warning", jump)]
    assert machine.clock.steady() - before == timedelta(seconds=2)
    machine.run(599)
    assert not machine.clock.is_settled()
    machine.run(2)
    assert machine.clock.forget_before(DAY) == machine.clock.now() - DAY


def test_nothing_is_deleted_right_after_the_start_when_the_clock_may_still_be_wrong() -> None:
    machine = Machine()
    machine.run(599)
    assert machine.clock.forget_before(DAY) == ALWAYS
    machine.run(2)
    assert machine.clock.forget_before(DAY) == machine.clock.now() - DAY


def test_small_corrections_are_no_jump_however_many() -> None:
    machine = Machine()
    with capture_logs() as logs:
        for _ in range(100):
            machine.run(60, drift=0.5)
            machine.clock.now()
    assert logs == []
    assert machine.clock.is_settled()
