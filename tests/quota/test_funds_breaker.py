"""The circuit breaker on KIE's account: its transitions, and what a balance says about ending a pause."""

from datetime import datetime, timedelta

import pytest

from bot.domain.credits import Credits
from bot.domain.errors import SubmissionsPaused
from bot.domain.states import Failure
from bot.quota.funds_breaker import PROBE_AFTER, PROBE_LOW_BALANCE_AFTER, Decision, FundsBreaker, Pause
from tests.factories import NOW

FIVE, NOTHING = Credits(5), Credits(0)
SOON, LATER = NOW + timedelta(seconds=1), NOW + PROBE_AFTER


@pytest.fixture
def open_breaker() -> FundsBreaker:
    """Opened by a refusal, and the balance is known to be zero."""
    breaker = FundsBreaker()
    breaker.record_refusal(FIVE, NOW)
    breaker.record_balance(NOTHING, NOW)
    breaker.changed_by_task.clear()
    return breaker


@pytest.fixture
def half_open_breaker(open_breaker: FundsBreaker) -> FundsBreaker:
    """Half-open, since the balance could not be read for long enough."""
    assert open_breaker.record_balance(None, LATER)
    return open_breaker


def test_it_begins_closed() -> None:
    breaker = FundsBreaker()
    breaker.check()
    breaker.record_success()
    assert not breaker.record_balance(NOTHING, NOW)
    assert not breaker.is_open
    assert not breaker.changed_by_task.is_set()


def test_a_refusal_opens_it() -> None:
    breaker = FundsBreaker()
    breaker.record_refusal(FIVE, NOW)
    assert breaker.is_open
    assert breaker.changed_by_task.is_set()
    with pytest.raises(SubmissionsPaused):
        breaker.check()


def test_calls_that_were_in_flight_when_it_opened_change_nothing(open_breaker: FundsBreaker) -> None:
    open_breaker.record_success()
    open_breaker.record_refusal(FIVE, SOON)
    assert open_breaker.is_open
    assert not open_breaker.changed_by_task.is_set()
    assert open_breaker.pause is not None
    assert open_breaker.pause.balance_read


def test_a_sufficient_balance_closes_it(open_breaker: FundsBreaker) -> None:
    assert not open_breaker.record_balance(Credits("4.999"), SOON)
    assert open_breaker.record_balance(FIVE, SOON)
    assert open_breaker.pause is None
    open_breaker.check()


def test_without_a_balance_it_becomes_half_open_after_a_while(open_breaker: FundsBreaker) -> None:
    assert not open_breaker.record_balance(None, SOON)
    assert open_breaker.record_balance(None, LATER)
    assert open_breaker.is_half_open
    assert open_breaker.pause is not None
    open_breaker.check()
    assert not open_breaker.record_balance(None, LATER + PROBE_AFTER)
    assert open_breaker.is_half_open


def test_half_open_closes_with_a_success(half_open_breaker: FundsBreaker) -> None:
    half_open_breaker.record_success()
    assert half_open_breaker.pause is None
    assert not half_open_breaker.is_half_open
    assert half_open_breaker.changed_by_task.is_set()


def test_half_open_opens_with_a_refusal(half_open_breaker: FundsBreaker) -> None:
    half_open_breaker.record_refusal(FIVE, LATER)
    assert half_open_breaker.is_open
    assert half_open_breaker.changed_by_task.is_set()
    assert half_open_breaker.pause is not None
    assert half_open_breaker.pause.since == NOW
    assert not half_open_breaker.record_balance(None, LATER + timedelta(seconds=1))


def test_half_open_opens_with_a_balance_that_is_too_low(half_open_breaker: FundsBreaker) -> None:
    assert half_open_breaker.record_balance(Credits(4), LATER)
    assert half_open_breaker.is_open


def test_a_restored_pause_is_half_open_until_something_is_known() -> None:
    breaker = FundsBreaker()
    breaker.restore(NOW, FIVE, LATER, Failure.OUT_OF_CREDITS)
    assert breaker.is_half_open
    assert not breaker.record_balance(None, LATER)
    assert breaker.record_balance(Credits(4), LATER)
    assert breaker.is_open
    assert breaker.record_balance(FIVE, LATER)
    assert breaker.pause is None


def test_a_refused_key_is_tried_with_one_task_once_the_balance_can_be_read() -> None:
    breaker = FundsBreaker()
    assert not breaker.record_refusal(FIVE, NOW, Failure.KEY_REFUSED)
    assert not breaker.record_balance(None, SOON)
    assert breaker.record_balance(NOTHING, SOON)
    assert breaker.is_half_open
    assert breaker.record_refusal(FIVE, SOON, Failure.KEY_REFUSED)
    breaker.record_balance(FIVE, SOON)
    assert breaker.is_open
    assert breaker.record_balance(FIVE, SOON + PROBE_AFTER)
    breaker.record_success()
    assert breaker.pause is None


def test_a_refused_reading_opens_it_until_the_balance_can_be_read(half_open_breaker: FundsBreaker) -> None:
    breaker = FundsBreaker()
    assert breaker.record_key_refused(NOW)
    assert not breaker.record_key_refused(LATER)
    assert not breaker.record_balance(None, LATER)
    with pytest.raises(SubmissionsPaused) as caught:
        breaker.check()
    assert caught.value.reason is Failure.KEY_REFUSED
    assert breaker.record_balance(NOTHING, LATER)
    assert breaker.pause is None
    assert half_open_breaker.record_key_refused(LATER)
    assert half_open_breaker.is_open


def test_a_restored_refusal_of_the_key_waits_for_the_balance() -> None:
    breaker = FundsBreaker()
    breaker.restore(NOW, FIVE, LATER, Failure.KEY_REFUSED)
    assert breaker.is_open
    assert breaker.record_balance(FIVE, LATER)
    assert breaker.is_half_open


REFUSED = Pause(since=NOW, needed=Credits(7), refused_at=NOW)
READ = REFUSED.after_reading(Credits(3), NOW)
MISLEADING = REFUSED.after_reading(Credits(900), NOW)


@pytest.mark.parametrize(
    ("pause", "balance", "now", "decision"),
    [
        pytest.param(READ, "6.999", LATER, Decision.STAY_OPEN, id="too low"),
        pytest.param(READ, "6.999", NOW + PROBE_LOW_BALANCE_AFTER, Decision.PROBE, id="too low for long"),
        pytest.param(READ, "7", NOW, Decision.CLOSE, id="sufficient"),
        pytest.param(READ, "-2", LATER, Decision.STAY_OPEN, id="negative"),
        pytest.param(READ, None, NOW, Decision.STAY_OPEN, id="unreadable"),
        pytest.param(READ, None, LATER, Decision.PROBE, id="unreadable for a while"),
        pytest.param(REFUSED, None, LATER, Decision.PROBE, id="never read"),
        pytest.param(MISLEADING, "900", NOW, Decision.STAY_OPEN, id="refused with as much"),
        pytest.param(MISLEADING, "900", LATER, Decision.PROBE, id="refused with as much, for a while"),
        pytest.param(MISLEADING, "899", LATER, Decision.PROBE, id="less than it was refused with"),
        pytest.param(MISLEADING, "6", LATER, Decision.STAY_OPEN, id="too low after all"),
        pytest.param(MISLEADING, "901", NOW, Decision.CLOSE, id="more than it was refused with"),
    ],
)
def test_what_a_balance_decides(pause: Pause, balance: str | None, now: datetime, decision: Decision) -> None:
    assert pause.decide(None if balance is None else Credits(balance), now) is decision


def test_a_balance_read_right_after_the_refusal_is_misleading_if_it_looks_sufficient() -> None:
    assert MISLEADING.misleading_balance == 900
    assert READ.misleading_balance is None
    assert REFUSED.after_reading(None, NOW) == REFUSED
    assert READ.after_reading(Credits(900), NOW) == READ
    assert REFUSED.after_reading(Credits(900), LATER).misleading_balance is None


def test_another_refusal_keeps_the_start_and_the_highest_price() -> None:
    higher = READ.after_refusal(Credits(24), LATER, Failure.OUT_OF_CREDITS, probe=False)
    lower = READ.after_refusal(Credits(5), LATER, Failure.OUT_OF_CREDITS, probe=True)
    assert (higher.since, higher.needed, higher.refused_at, higher.balance_read) == (NOW, 24, LATER, True)
    assert (lower.since, lower.needed, lower.refused_at, lower.balance_read) == (NOW, 7, LATER, False)
