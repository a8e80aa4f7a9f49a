"""When KIE's account is empty: everything waits, nothing is lost, nobody is asked too often, and the operator knows."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.domain.errors import SubmissionsPaused
from bot.domain.estimate import Capacity
from bot.domain.ids import GenerationId
from bot.domain.kie_account import LowBalance, Paused, Resumed
from bot.domain.ports import Card
from bot.domain.settings import Model, Resolution, Settings
from bot.domain.states import Failure, TaskState
from bot.quota.funds_breaker import PROBE_AFTER
from demo.kie import Behaviour, Code, Html, KieStandIn
from tests.generation.easel import ALICE, BOB, Easel, House, Tuning, submitting, watching
from tests.kie.schema import caused, created
from tests.waiting import until

RESERVED, REFUNDED, SETTLED = ("reserve", Decimal(-5)), ("refund", Decimal(5)), ("settle", Decimal(0))
PATIENT = submitting(give_up_after=600)
ONE_BY_ONE = replace(PATIENT, capacity=Capacity(new_tasks=1000, window=10, at_work=1))
BIG = Settings(Model.FLEX, resolution=Resolution.TWO_K)
WHILE = PROBE_AFTER.total_seconds()


async def paused(easel: Easel) -> None:
    """Wait until submissions are paused, and the balance was looked at since."""
    gate = easel.workload.funds_breaker
    await until(lambda: gate.is_open and gate.pause and gate.pause.balance_read, what="the pause")


async def looks(easel: Easel, times: int = 3) -> None:
    """Let the watcher ask after the balance some more times."""
    before = len(questions(easel.kie))
    await until(lambda: len(questions(easel.kie)) >= before + times, what="more questions after the balance")


def promises_nothing(card: Card) -> bool:
    """The card says where in line the wish is, and not when it will be painted."""
    return card.position == 1 and card.ready_at is None


def questions(kie: KieStandIn) -> list[str]:
    return [call.path for call in kie.requests if call.path == "/api/v1/chat/credit"]


async def line_of(easel: Easel, wishes: int) -> list[GenerationId]:
    """Wishes that are in line before KIE has refused the first."""
    return [await easel.ask(f"wish number {number}") for number in range(wishes)]


async def waiting(house: House, tuning: Tuning, wishes: int) -> list[GenerationId]:
    """Wishes that a process finds in line when it starts."""
    async with house.easel(tuning, working=False) as easel:
        return await line_of(easel, wishes)


async def test_everything_waits_and_kie_is_not_asked_for_each(house: House, kie: KieStandIn) -> None:
    wishes = await waiting(house, ONE_BY_ONE, 6)
    kie.balance = Decimal(0)
    async with house.easel(ONE_BY_ONE) as easel:
        await paused(easel)
        await looks(easel)
        assert len(created(kie)) == 1
        assert [await easel.states(wish) for wish in wishes] == [[TaskState.RESERVED]] * 6
        assert easel.ledger() == [RESERVED] * 6

        kie.balance = Decimal(1000)
        for wish in wishes:
            await easel.told(wish)
        assert [await easel.states(wish) for wish in wishes] == [[TaskState.DELIVERED]] * 6
        assert len(created(kie)) == 1 + 6
        assert easel.ledger().count(SETTLED) == 6


async def test_a_new_wish_is_refused_before_anything_is_done(easel: Easel, kie: KieStandIn) -> None:
    kie.balance = Decimal(4)
    first = await easel.ask()
    await paused(easel)
    before = len(caused(kie))

    with pytest.raises(SubmissionsPaused):
        await easel.ask("another wish", by=BOB)
    assert easel.ledger() == [RESERVED]
    assert len(caused(kie)) == before

    kie.balance = Decimal(5)
    await easel.told(first)
    kie.balance = Decimal(5)
    await easel.told(await easel.ask("another wish", by=BOB))


async def test_while_paused_no_time_is_promised(house: House, kie: KieStandIn) -> None:
    async with house.easel(ONE_BY_ONE) as easel:
        kie.balance = Decimal(0)
        wish = await easel.ask()
        await paused(easel)
        await easel.reach(wish, TaskState.RESERVED)
        await until(lambda: len(easel.workload.queue) == 1, what="the wish to be in line again")
        await until(lambda: promises_nothing(easel.discord.shown[-1]), what="a card in line without a time")


async def test_a_wish_in_line_can_be_taken_back(easel: Easel, kie: KieStandIn) -> None:
    kie.balance = Decimal(0)
    wish = await easel.ask()
    await paused(easel)
    await easel.reach(wish, TaskState.RESERVED)
    await easel.generations.cancel(wish, ALICE)
    await easel.told(wish)
    assert easel.ledger() == [RESERVED, REFUNDED]


async def test_who_waits_too_long_is_refunded_and_told(house: House, kie: KieStandIn) -> None:
    tuning = submitting(give_up_after=0.4)
    wishes = await waiting(house, tuning, 4)
    kie.balance = Decimal(0)
    async with house.easel(tuning) as easel:
        for wish in wishes:
            generation = await easel.told(wish)
            assert [task.failure for task in generation.tasks] == [Failure.OUT_OF_CREDITS]
            assert easel.ledger(wish) == [RESERVED, REFUNDED]
        assert len(created(kie)) <= 4
        assert len(easel.workload.queue) == easel.workload.queue.at_work == 0
        assert easel.workload.funds_breaker.is_open


async def test_a_short_pause_gives_up_on_nobody_however_long_they_had_waited(house: House, kie: KieStandIn) -> None:
    tuning = submitting(give_up_after=20)
    (wish,) = await waiting(house, tuning, 1)
    house.clock.advance(60)
    kie.balance = Decimal(0)
    async with house.easel(tuning) as easel:
        await paused(easel)
        await looks(easel)
        assert await easel.states(wish) == [TaskState.RESERVED]
        kie.balance = Decimal(5)
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.DELIVERED]


async def test_the_balance_has_to_be_enough_for_what_was_refused(house: House, kie: KieStandIn) -> None:
    async with house.easel(ONE_BY_ONE) as easel:
        kie.balance = Decimal(20)
        wish = await easel.ask(settings=BIG)
        await paused(easel)
        kie.balance = Decimal("23.5")
        await looks(easel)
        assert easel.workload.funds_breaker.is_open
        kie.balance = Decimal(24)
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.DELIVERED]


@pytest.mark.parametrize("trouble", [Code(500, "server error"), Html(502), Code(200, "success", "much")], ids=str)
async def test_without_a_balance_one_task_is_tried_at_a_time(house: House, kie: KieStandIn, trouble: Behaviour) -> None:
    kie.script.always("credit", trouble)
    kie.script.on("createTask", Code(402, "no credits"))
    async with house.easel(ONE_BY_ONE) as easel:
        wish = await easel.ask(count=4)
        gate = easel.workload.funds_breaker
        await until(lambda: gate.is_open, what="the pause")
        await looks(easel)
        assert len(created(kie)) == 1

        kie.script.on("createTask", Code(402, "still none"))
        house.clock.advance(WHILE)
        await until(lambda: len(created(kie)) == 2 and gate.is_open, what="one task to be tried in vain")
        await looks(easel)
        assert len(created(kie)) == 2

        house.clock.advance(WHILE)
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.DELIVERED] * 4
        await until(lambda: len(easel.alerts.told) == 2, what="the operator to be told")
        assert [type(news) for news in easel.alerts.told] == [Paused, Resumed]


async def test_while_one_is_tried_the_others_wait(house: House, kie: KieStandIn) -> None:
    kie.script.always("credit", Code(500, "server error"))
    kie.script.always("createTask", Code(402, "no credits"))
    wishes = await waiting(house, PATIENT, 5)
    async with house.easel(PATIENT) as easel:
        gate = easel.workload.funds_breaker
        await until(lambda: gate.is_open and not easel.workload.queue.at_work, what="the pause")
        before = len(created(kie))
        house.clock.advance(WHILE)
        await until(lambda: len(created(kie)) > before and gate.is_open, what="one task to be tried")
        await looks(easel)
        assert len(created(kie)) == before + 1
        kie.script.clear()
        house.clock.advance(WHILE)
        for wish in wishes:
            await easel.told(wish)
            assert await easel.states(wish) == [TaskState.DELIVERED]


async def test_a_balance_that_says_nothing_is_not_believed(house: House, kie: KieStandIn) -> None:
    kie.script.on("createTask", Code(433, "the key's own limit"))
    async with house.easel(PATIENT) as easel:
        wish = await easel.ask()
        await paused(easel)
        await looks(easel)
        assert len(created(kie)) == 1
        assert easel.workload.funds_breaker.is_open

        easel.clock.advance(WHILE)
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.DELIVERED]
        await until(lambda: len(easel.alerts.told) == 2, what="the operator to be told")
        assert [type(news) for news in easel.alerts.told] == [Paused, Resumed]


async def test_after_a_trial_without_a_balance_new_wishes_are_taken(house: House, kie: KieStandIn) -> None:
    """Else an empty line would never find out that the account was filled up."""
    kie.script.always("credit", Code(500, "server error"))
    kie.script.on("createTask", Code(402, "no credits"))
    async with house.easel(submitting(give_up_after=0.2)) as easel:
        await easel.told(await easel.ask())
        with pytest.raises(SubmissionsPaused):
            await easel.ask("another wish")
        house.clock.advance(WHILE)
        await until(lambda: not easel.workload.funds_breaker.is_open, what="the gate to be ajar")
        wish = await easel.ask("another wish")
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.DELIVERED]
        assert easel.workload.funds_breaker.pause is None


async def test_the_operator_is_told_once_of_a_pause_that_outlives_processes(house: House, kie: KieStandIn) -> None:
    (wish,) = await waiting(house, Tuning(), 1)
    kie.balance = Decimal(0)
    async with house.easel() as easel:
        await until(lambda: easel.alerts.told, what="the operator to be told")
        assert easel.alerts.told == [Paused(balance=Decimal(0))]
        assert easel.workload.funds_breaker.pause is not None
        since = easel.workload.funds_breaker.pause.since
    async with house.easel() as easel:
        await until(lambda: easel.workload.funds_breaker.is_open, what="the pause to be found again")
        await looks(easel)
        assert easel.alerts.told == []
        assert easel.workload.funds_breaker.pause is not None
        assert easel.workload.funds_breaker.pause.since == since
        with pytest.raises(SubmissionsPaused):
            await easel.ask("another wish")
    kie.balance = Decimal(100)
    async with house.easel() as easel:
        await easel.told(wish)
        await until(lambda: easel.alerts.told, what="the operator to be told")
        (news,) = easel.alerts.told
        assert isinstance(news, Resumed)
        assert news.since == since
    async with house.easel() as easel:
        await easel.told(await easel.ask("a third wish"))
        assert easel.alerts.told == []


async def test_a_low_balance_is_told_once_until_it_was_clearly_above(house: House, kie: KieStandIn) -> None:
    tuning = watching(every=0.02, alarm_below=Decimal(500))
    kie.balance = Decimal(500)
    told = [LowBalance(Decimal(499), Decimal(500))]
    async with house.easel(tuning) as easel:
        for balance, news in [(500, []), (499, told), (400, told), (549, told), (400, told)]:
            await read(easel, Decimal(balance))
            assert easel.alerts.told == news
    async with house.easel(tuning) as easel:
        await read(easel, Decimal(399))
        await read(easel, Decimal(550))
        assert easel.alerts.told == []
        await read(easel, Decimal(499))
        assert easel.alerts.told == told


async def read(easel: Easel, balance: Decimal) -> None:
    """Set the balance, and wait until the watcher has read and judged it."""
    easel.kie.balance = balance
    await until(lambda: easel.monitor.reading and easel.monitor.reading.balance == balance, what="the new balance")
    await looks(easel, 2)


async def test_a_balance_that_cannot_be_read_alarms_nobody(house: House, kie: KieStandIn) -> None:
    kie.script.always("credit", Code(500, "server error"))
    async with house.easel(watching(every=0.02, alarm_below=Decimal(5000))) as easel:
        await looks(easel)
        assert easel.alerts.told == []
        assert easel.monitor.reading is None
        kie.script.clear()
        await until(lambda: easel.alerts.told, what="the alarm")
