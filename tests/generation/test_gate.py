"""The gate by itself: who turns it, and which way."""

from datetime import timedelta

import pytest

from bot.domain.credits import Credits
from bot.domain.errors import SubmissionsPaused
from bot.quota.funds_breaker import PROBE_AFTER, FundsBreaker
from tests.factories import NOW

FIVE, NOTHING = Credits(5), Credits(0)
SOON, LATER = NOW + timedelta(seconds=1), NOW + PROBE_AFTER


@pytest.fixture
def gate() -> FundsBreaker:
    """A gate that was shut by a refusal, and whose balance is known to be nothing."""
    one = FundsBreaker()
    one.record_refusal(FIVE, NOW)
    one.record_balance(NOTHING, NOW)
    one.changed_by_task.clear()
    return one


def test_a_new_gate_is_open() -> None:
    gate = FundsBreaker()
    gate.check()
    gate.record_success()
    assert not gate.record_balance(NOTHING, NOW)
    assert not gate.is_open
    assert not gate.changed_by_task.is_set()


def test_a_refusal_shuts_it() -> None:
    gate = FundsBreaker()
    gate.record_refusal(FIVE, NOW)
    assert gate.is_open
    assert gate.changed_by_task.is_set()
    with pytest.raises(SubmissionsPaused):
        gate.check()


def test_what_was_under_way_when_it_shut_does_not_turn_it(gate: FundsBreaker) -> None:
    gate.record_success()
    gate.record_refusal(FIVE, SOON)
    assert gate.is_open
    assert not gate.changed_by_task.is_set()
    assert gate.pause is not None
    assert gate.pause.balance_read


def test_a_balance_that_is_enough_opens_it(gate: FundsBreaker) -> None:
    assert not gate.record_balance(Credits("4.999"), SOON)
    assert gate.record_balance(FIVE, SOON)
    assert gate.pause is None
    gate.check()


def test_without_a_balance_it_is_ajar_after_a_while(gate: FundsBreaker) -> None:
    assert not gate.record_balance(None, SOON)
    assert gate.record_balance(None, LATER)
    assert gate.is_half_open
    assert gate.pause is not None
    gate.check()


def test_a_task_that_is_taken_opens_one_that_is_ajar(gate: FundsBreaker) -> None:
    gate.record_balance(None, LATER)
    gate.record_success()
    assert gate.pause is None
    assert not gate.is_half_open
    assert gate.changed_by_task.is_set()


def test_a_task_that_is_refused_shuts_one_that_is_ajar(gate: FundsBreaker) -> None:
    gate.record_balance(None, LATER)
    gate.record_refusal(FIVE, LATER)
    assert gate.is_open
    assert gate.changed_by_task.is_set()
    assert gate.pause is not None
    assert gate.pause.since == NOW
    assert not gate.record_balance(None, LATER + timedelta(seconds=1))


def test_a_balance_that_is_too_little_shuts_one_that_is_ajar(gate: FundsBreaker) -> None:
    gate.record_balance(None, LATER)
    assert gate.record_balance(Credits(4), LATER)
    assert gate.is_open


def test_one_that_is_ajar_stays_so_while_nobody_asks(gate: FundsBreaker) -> None:
    gate.record_balance(None, LATER)
    assert not gate.record_balance(None, LATER + PROBE_AFTER)
    assert gate.is_half_open


def test_an_earlier_processs_pause_is_ajar_until_something_is_known() -> None:
    gate = FundsBreaker()
    gate.restore(NOW, FIVE, LATER)
    assert gate.is_half_open
    assert not gate.record_balance(None, LATER)
    assert gate.record_balance(Credits(4), LATER)
    assert gate.is_open
    assert gate.record_balance(FIVE, LATER)
    assert gate.pause is None
