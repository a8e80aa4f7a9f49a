"""KIE's account is empty: everything waits, nothing is lost, KIE is asked rarely, and the operator is alerted."""

from datetime import timedelta
from decimal import Decimal

import pytest

from bot.domain.errors import OperatorError, SubmissionsPaused
from bot.domain.ids import GenerationId
from bot.domain.kie_account import LowBalance, Paused, Resumed
from bot.domain.states import Failure, TaskState
from bot.quota.funds_breaker import PROBE_AFTER
from demo.kie import Behaviour, Code, CutMidBody, Hang, Html, KieStandIn
from tests.generation.backend import ALICE, BOB, REFUNDED, RESERVED, SETTLED, Backend, Installation
from tests.generation.tuning import Tuning, monitor_tuned, running_at_most, submitter_tuned
from tests.kie.schema import caused, created
from tests.waiting import until

PATIENT = submitter_tuned(give_up_after=600)
ONE_BY_ONE = running_at_most(1, PATIENT)
PROBE_SECONDS = PROBE_AFTER.total_seconds()


def balance_reads(kie: KieStandIn) -> int:
    return sum(call.path == "/api/v1/chat/credit" for call in kie.requests)


async def wait_for_reads(backend: Backend, times: int = 3) -> None:
    """Let the balance monitor read the balance some more times."""
    before = balance_reads(backend.kie)
    await until(lambda: balance_reads(backend.kie) >= before + times, what="more reads of the balance")


async def wait_for_pause(backend: Backend) -> None:
    """Wait until submitting is paused, and the balance was read since."""
    breaker = backend.workload.funds_breaker
    await until(lambda: breaker.is_open and breaker.pause and breaker.pause.balance_read, what="the pause")


async def wait_for_alerts(backend: Backend, *kinds: type[Paused] | type[Resumed]) -> None:
    await until(lambda: len(backend.alerts.sent) >= len(kinds), what="the operator to be alerted")
    assert [type(alert) for alert in backend.alerts.sent] == [*kinds]


async def queued(installation: Installation, tuning: Tuning, count: int) -> list[GenerationId]:
    """Generations that the next process finds in its queue."""
    async with installation.start(tuning, working=False) as backend:
        return [await backend.request(f"number {number}") for number in range(count)]


async def assert_delivered(backend: Backend, generations: list[GenerationId]) -> None:
    for generation_id in generations:
        await backend.wait_for_post(generation_id)
        assert set(await backend.states(generation_id)) == {TaskState.DELIVERED}


async def test_everything_waits_and_kie_is_not_asked_for_each(installation: Installation, kie: KieStandIn) -> None:
    generations = await queued(installation, ONE_BY_ONE, 6)
    kie.balance = Decimal(0)
    async with installation.start(ONE_BY_ONE) as backend:
        await wait_for_pause(backend)
        await wait_for_reads(backend)
        assert len(created(kie)) == 1
        assert [await backend.states(generation_id) for generation_id in generations] == [[TaskState.RESERVED]] * 6
        assert backend.ledger() == [RESERVED] * 6

        kie.balance = Decimal(1000)
        await assert_delivered(backend, generations)
        assert len(created(kie)) == 1 + 6
        assert backend.ledger().count(SETTLED) == 6


async def test_new_requests_are_refused_before_anything_is_done(backend: Backend, kie: KieStandIn) -> None:
    kie.balance = Decimal(4)
    generation_id = await backend.request()
    await wait_for_pause(backend)
    before = len(caused(kie))

    with pytest.raises(SubmissionsPaused):
        await backend.request("another request", by=BOB)
    assert backend.ledger() == [RESERVED]
    assert len(caused(kie)) == before

    kie.balance = Decimal(5)
    await backend.wait_for_post(generation_id)
    kie.balance = Decimal(5)
    await backend.request_and_wait("another request", by=BOB)


async def test_a_waiting_request_promises_no_time_and_can_be_cancelled(backend: Backend, kie: KieStandIn) -> None:
    kie.balance = Decimal(0)
    generation_id = await backend.request()
    await wait_for_pause(backend)
    await backend.wait_for_states(generation_id, TaskState.RESERVED)
    await until(
        lambda: [(card.position, card.ready_at) for card in backend.sender.shown[-1:]] == [(1, None)],
        what="a card in the queue without a time",
    )
    await backend.generations.cancel(generation_id, ALICE)
    await backend.wait_for_post(generation_id)
    assert backend.ledger() == [RESERVED, REFUNDED]


async def test_who_waits_too_long_is_refunded(installation: Installation, kie: KieStandIn) -> None:
    tuning = submitter_tuned(give_up_after=0.4)
    installation.clock.set(86_400)
    generations = await queued(installation, tuning, 4)
    kie.balance = Decimal(0)
    async with installation.start(tuning) as backend:
        for generation_id in generations:
            generation = await backend.wait_for_post(generation_id)
            assert [task.failure for task in generation.tasks] == [Failure.OUT_OF_CREDITS]
            assert backend.ledger(generation_id) == [RESERVED, REFUNDED]
        assert len(created(kie)) <= 4
        assert len(backend.workload.queue) == backend.workload.queue.running == 0
        assert backend.workload.funds_breaker.is_open


async def test_a_short_pause_fails_nobody_however_long_they_had_waited(
    installation: Installation, kie: KieStandIn
) -> None:
    generations = await queued(installation, Tuning(), 1)
    installation.clock.advance(60)
    kie.balance = Decimal(0)
    async with installation.start(PATIENT) as backend:
        await wait_for_pause(backend)
        await wait_for_reads(backend)
        assert await backend.states(generations[0]) == [TaskState.RESERVED]
        kie.balance = Decimal(5)
        await assert_delivered(backend, generations)


@pytest.mark.parametrize("fault", [Code(500, "server error"), Html(502), Code(200, "success", "much")], ids=str)
async def test_without_a_balance_one_task_is_tried_at_a_time(
    installation: Installation, kie: KieStandIn, fault: Behaviour
) -> None:
    kie.script.always("credit", fault)
    kie.script.on("createTask", Code(402, "no credits"))
    async with installation.start(ONE_BY_ONE) as backend:
        generation_id = await backend.request(count=4)
        breaker = backend.workload.funds_breaker
        await until(lambda: breaker.is_open, what="the pause")
        await wait_for_reads(backend)
        assert len(created(kie)) == 1

        kie.script.on("createTask", Code(433, "the key's own limit"))
        installation.clock.advance(PROBE_SECONDS)
        await until(lambda: len(created(kie)) == 2 and breaker.is_open, what="one task to be tried in vain")
        await wait_for_reads(backend)
        assert len(created(kie)) == 2

        installation.clock.advance(PROBE_SECONDS)
        await assert_delivered(backend, [generation_id])
        await wait_for_alerts(backend, Paused, Resumed)


async def test_half_open_takes_new_requests(installation: Installation, kie: KieStandIn) -> None:
    """With an empty queue nothing else would find out that the account was topped up."""
    kie.script.always("credit", Code(500, "server error"))
    kie.script.on("createTask", Code(402, "no credits"))
    async with installation.start(submitter_tuned(give_up_after=0.2)) as backend:
        await backend.request_and_wait()
        with pytest.raises(SubmissionsPaused):
            await backend.request("another request")
        installation.clock.advance(PROBE_SECONDS)
        await until(lambda: not backend.workload.funds_breaker.is_open, what="the breaker to be half-open")
        await assert_delivered(backend, [await backend.request("another request")])
        assert backend.workload.funds_breaker.pause is None


async def test_half_open_sends_no_second_task_before_the_answer_about_the_first(
    installation: Installation, kie: KieStandIn
) -> None:
    await queued(installation, PATIENT, 3)
    kie.script.always("credit", Code(500, "server error"))
    kie.script.always("createTask", Code(402, "no credits"))
    async with installation.start(PATIENT) as backend:
        await wait_for_alerts(backend, Paused)
    before = len(created(kie))
    kie.script.always("createTask", Hang())
    async with installation.start(PATIENT) as backend:
        assert backend.workload.funds_breaker.is_half_open
        await until(lambda: len(created(kie)) > before, what="the probe")
        await wait_for_reads(backend)
        assert len(created(kie)) == before + 1


async def test_a_pause_that_outlives_processes_is_alerted_once(installation: Installation, kie: KieStandIn) -> None:
    generations = await queued(installation, Tuning(), 1)
    kie.balance = Decimal(0)
    async with installation.start(PATIENT) as backend:
        await wait_for_alerts(backend, Paused)
        assert backend.alerts.sent == [Paused(balance=Decimal(0))]
        assert backend.workload.funds_breaker.pause is not None
        since = backend.workload.funds_breaker.pause.since
    async with installation.start(PATIENT) as backend:
        await until(lambda: backend.workload.funds_breaker.is_open, what="the pause to be found again")
        await wait_for_reads(backend)
        assert backend.alerts.sent == []
        assert backend.workload.funds_breaker.pause is not None
        assert abs(backend.workload.funds_breaker.pause.since - since) < timedelta(seconds=1)
        with pytest.raises(SubmissionsPaused):
            await backend.request("another request")
    kie.balance = Decimal(100)
    async with installation.start(PATIENT) as backend:
        await assert_delivered(backend, generations)
        await wait_for_alerts(backend, Resumed)
        (resumed,) = [alert for alert in backend.alerts.sent if isinstance(alert, Resumed)]
        assert abs(resumed.since - since) < timedelta(seconds=1)
    async with installation.start(PATIENT) as backend:
        await backend.request_and_wait("a third request")
        assert backend.alerts.sent == []


async def test_a_low_balance_is_alerted_once_until_it_has_clearly_risen(
    installation: Installation, kie: KieStandIn
) -> None:
    tuning = monitor_tuned(every=0.02, alert_below=Decimal(500))
    alert = LowBalance(Decimal(499), Decimal(500))
    for balances, alerts in (((500,), []), ((499, 400, 549, 400), [alert]), ((399, 550), []), ((499,), [alert])):
        async with installation.start(tuning) as backend:
            for balance in balances:
                kie.balance = Decimal(balance)
                await until(
                    lambda: backend.monitor.reading and backend.monitor.reading.balance == kie.balance,
                    what="the balance to be read",
                )
                await wait_for_reads(backend, 2)
                assert backend.alerts.sent == alerts


async def test_a_balance_that_cannot_be_read_raises_no_alert(installation: Installation, kie: KieStandIn) -> None:
    kie.script.always("credit", Code(500, "server error"))
    async with installation.start(monitor_tuned(every=0.02, alert_below=Decimal(5000))) as backend:
        await wait_for_reads(backend)
        assert (backend.alerts.sent, backend.monitor.reading) == ([], None)
        kie.script.clear()
        await until(lambda: backend.alerts.sent, what="the alert")


@pytest.mark.parametrize(
    ("answer", "forbidden"),
    [(Code(401, "no access"), False), (Code(403, "not allowed"), True), (Html(401), False)],
    ids=["401", "403", "a page with 401"],
)
async def test_a_refused_key_pauses_until_kie_accepts_it(
    installation: Installation, kie: KieStandIn, answer: Behaviour, forbidden: bool
) -> None:
    generations = await queued(installation, ONE_BY_ONE, 3)
    kie.script.always("createTask", answer)
    kie.script.always("credit", answer)
    async with installation.start(ONE_BY_ONE) as backend:
        await wait_for_alerts(backend, Paused)
        assert backend.alerts.sent == [Paused(None, Failure.KEY_REFUSED, forbidden)]
        await wait_for_reads(backend)
        assert len(created(kie)) <= 1
        with pytest.raises(SubmissionsPaused):
            await backend.request("another request", by=BOB)
        assert backend.ledger() == [RESERVED] * 3

        kie.script.clear()
        await assert_delivered(backend, generations)
        await wait_for_alerts(backend, Paused, Resumed)


async def test_a_gateway_that_turns_one_task_away_pauses_only_if_it_turns_all_away(
    backend: Backend, kie: KieStandIn
) -> None:
    kie.script.always("createTask", Html(403))
    generation = await backend.wait_for_post(await backend.request())
    assert [task.failure for task in generation.tasks] == [Failure.UNAVAILABLE]
    await until(lambda: balance_reads(kie) >= 2, what="the balance to be read, at the start and after that")
    assert not backend.workload.funds_breaker.is_open
    kie.script.always("credit", Html(403))
    await backend.wait_for_post(await backend.request())
    await wait_for_alerts(backend, Paused)
    assert backend.ledger() == [RESERVED, REFUNDED] * 2


async def test_a_key_that_is_good_for_reading_alone_fails_one_task_at_a_time(
    installation: Installation, kie: KieStandIn
) -> None:
    generations = await queued(installation, ONE_BY_ONE, 3)
    kie.script.always("createTask", Code(403, "not allowed"))
    async with installation.start(ONE_BY_ONE) as backend:
        await backend.wait_for_post(generations[0])
        assert backend.ledger(generations[0]) == [RESERVED, REFUNDED]
        await wait_for_reads(backend)
        assert len(created(kie)) == 2
        kie.script.clear()
        installation.clock.advance(PROBE_SECONDS)
        await assert_delivered(backend, generations[1:])


async def test_at_start_only_a_wrong_key_is_an_error(installation: Installation, kie: KieStandIn) -> None:
    async with installation.start(working=False) as backend:
        for behaviour in (Code(403, "forbidden"), Code(500, "server error"), Html(502), CutMidBody()):
            kie.script.on("credit", behaviour)
            await backend.monitor.check_key()
        kie.script.on("credit", Code(401, "no access"))
        with pytest.raises(OperatorError, match=r"kie\.api_key"):
            await backend.monitor.check_key()
