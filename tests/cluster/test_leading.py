"""A gateway and the process that leads, side by side on one PostgreSQL database: what one accepts, the other makes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import cast

import psycopg
import pytest

from bot.cluster.leader import Leader, LeaseLost, lease_name
from bot.domain.credits import Credits
from bot.domain.delivery_errors import Undeliverable
from bot.domain.errors import RequestsPaused, ResultsPaused, StoreUnavailable, SubmissionsPaused
from bot.domain.generation import Delivery
from bot.domain.ids import ChannelId, GenerationId, KieTaskId, MessageId, TaskId, UserId
from bot.domain.ports import Card, Posted
from bot.domain.states import Failure, TaskState
from bot.domain.store_errors import OutcomeUnknown
from bot.generation import delivery as delivery_module
from bot.generation import notices as notices_module
from bot.generation.notices import NoticeWorker
from bot.generation.operator_pause import OperatorPauses
from bot.generation.status import StatusBoard, StatusOptions
from bot.polling.pace import Pace
from bot.store.leases import PostgresLeases, Taken
from bot.store.notices import Listen, Notice, Notices, listener
from bot.store.store import Store
from bot.store.tasks import TaskRepository
from demo.kie import CutAfter, Hang, KieStandIn, Never
from tests.database import awaited_standby
from tests.factories import NOW
from tests.generation.backend import ALICE, BOB, PROMPT, REFUNDED, RESERVED, SETTLED, Backend, Installation
from tests.generation.tuning import Tuning, running_at_most, submitter_tuned, tuned
from tests.kie.schema import created
from tests.waiting import end, until

KIE = lease_name("a key")
ONE_BY_ONE = running_at_most(1)


@dataclass
class Cluster:
    """Starts processes that share a database and KIE's account."""

    url: str
    folder: Path
    kie: KieStandIn
    leases: PostgresLeases
    store: Store
    started: int = 0

    def ledger(self, generation_id: GenerationId) -> list[tuple[str, Decimal]]:
        with psycopg.connect(self.url) as connection:
            entries = connection.execute(
                "SELECT movement, credits FROM ledger WHERE generation_id = %s ORDER BY id", (generation_id,)
            )
            return [(movement, Decimal(thousandths) / 1000) for movement, thousandths in entries]

    def leader(self, *, ttl: float = 30) -> Leader:
        return Leader(self.leases, self.store, KIE, ttl)

    @asynccontextmanager
    async def worker(
        self, leader: Leader, tuning: Tuning | None = None, listen: Listen | None = None
    ) -> AsyncGenerator[Backend]:
        """A process that leads. Leaving kills it: its lease runs out."""
        async with self._installation().start(tuning, leadership=leader) as backend:
            notices = NoticeWorker(backend.runtime, backend.pipeline, listen or listener(self.url))
            listening = asyncio.create_task(notices.run())
            yield backend
            assert not listening.done()
            listening.cancel()
            await asyncio.wait({listening})

    @asynccontextmanager
    async def gateway(self) -> AsyncGenerator[Backend]:
        """A process that never leads."""
        starting = self._installation().start(working=False, discord_up=False, leadership=self.leader())
        async with starting as backend:
            yield backend

    def _installation(self) -> Installation:
        self.started += 1
        folder = self.folder / f"process-{self.started}"
        folder.mkdir()
        return Installation(folder, self.kie, url=self.url, number=self.started)


@pytest.fixture
def cluster(postgresql: str, tmp_path: Path, kie: KieStandIn, leases: PostgresLeases, shared_store: Store) -> Cluster:
    return Cluster(postgresql, tmp_path, kie, leases, shared_store)


async def one_task(backend: Backend) -> TaskId:
    generation_id = await backend.request()
    return (await backend.tasks(generation_id))[0].id


async def occupy(worker: Backend) -> None:
    """What is accepted from now on waits."""
    worker.kie.script.next_tasks(Never())
    await worker.wait_for_states(await worker.request("what is never finished"), TaskState.RUNNING)


async def queue_has(backend: Backend, count: int) -> None:
    await until(lambda: len(backend.workload.queue) == count, what=f"{count} tasks in the queue")


async def test_what_a_gateway_accepts_the_leader_makes_and_posts(cluster: Cluster) -> None:
    leader = cluster.leader()
    await leader.take()
    async with cluster.worker(leader) as worker, cluster.gateway() as gateway:
        generations = [await gateway.request(count=2, by=by) for by in (ALICE, BOB)]
        for generation_id in generations:
            await worker.wait_for_post(generation_id)
            assert cluster.ledger(generation_id) == [RESERVED] * 2 + [SETTLED] * 2
        assert gateway.sender.shown == []
        assert (len(created(cluster.kie)), len(gateway.workload.queue)) == (4, 0)


async def test_a_request_of_which_it_is_unknown_whether_it_was_saved_is_made_if_it_was(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.store._COMMIT_SECONDS", 0.3)
    cluster.url += "&options=-c%20synchronous_commit%3Don"
    leader = cluster.leader()
    await leader.take()
    async with cluster.worker(leader) as worker, cluster.gateway() as gateway:
        with awaited_standby(cluster.url):
            with pytest.raises(OutcomeUnknown):
                await gateway.request()
            with pytest.raises(StoreUnavailable, match="the COMMIT before this"):
                await gateway.request()
        await until(lambda: worker.sender.posts, what="the image of the first one")
        generation_id = worker.sender.posts[0].card.generation.id
        await until(lambda: cluster.ledger(generation_id) == [RESERVED, SETTLED], what="the one payment")
    assert len(created(cluster.kie)) == 1


async def test_what_a_gateway_cancels_leaves_the_leaders_queue(cluster: Cluster) -> None:
    leader = cluster.leader()
    await leader.take()
    async with cluster.worker(leader, ONE_BY_ONE) as worker, cluster.gateway() as gateway:
        await occupy(worker)
        kept, cancelled = await gateway.request(), await gateway.request()
        await queue_has(worker, 2)
        await gateway.generations.cancel(cancelled, ALICE)
        await queue_has(worker, 1)
        await until(
            lambda: (
                any(card.generation.tasks[0].state is TaskState.CANCELLED for card in worker.sender.shown)
                or worker.sender.posts_of(cancelled)
            ),
            what="the member to be told",
        )
        assert worker.workload.queue.waiting()[0].generation == kept
        assert cluster.ledger(cancelled) == [RESERVED, REFUNDED]


def deaf(looks: asyncio.Semaphore) -> Listen:
    """Hears of nothing; looks at the rows whenever the semaphore is released."""

    async def silence(_: float) -> AsyncGenerator[Notice]:
        await looks.acquire()
        for notice in ():
            yield notice

    @asynccontextmanager
    async def listen() -> AsyncGenerator[Notices]:
        yield silence

    return listen


async def test_lost_notices_are_made_up_for(cluster: Cluster) -> None:
    """Of a request and a cancellation of which nothing is heard, the rows tell."""
    leader, looks = cluster.leader(), asyncio.Semaphore(0)
    await leader.take()
    async with cluster.worker(leader, ONE_BY_ONE, deaf(looks)) as worker, cluster.gateway() as gateway:
        await occupy(worker)
        first, second = await gateway.request(), await gateway.request()
        looks.release()
        await queue_has(worker, 2)
        await gateway.generations.cancel(first, ALICE)
        looks.release()
        await queue_has(worker, 1)
        assert worker.workload.queue.waiting()[0].generation == second


async def test_what_was_accepted_while_the_listener_was_cut_off_is_found(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices_module, "_LISTEN_AGAIN", 0.05)
    leader = cluster.leader()
    await leader.take()
    async with cluster.worker(leader) as worker, cluster.gateway() as gateway:
        await worker.wait_for_post(await gateway.request())
        with psycopg.connect(cluster.url, autocommit=True) as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'easel notices'"
            ).fetchall()
        assert ended == [(True,)]
        await worker.wait_for_post(await gateway.request("another one"))


async def test_a_callback_to_a_gateway_has_the_leader_poll(cluster: Cluster) -> None:
    leader = cluster.leader()
    await leader.take()
    rarely = tuned(pace=partial(Pace, every=3600))
    async with cluster.worker(leader, rarely) as worker, cluster.gateway() as gateway:
        generation_id = await gateway.request()
        await worker.wait_for_states(generation_id, TaskState.RUNNING)
        (task,), (kie_task,) = await gateway.tasks(generation_id), cluster.kie.tasks.values()
        await until(lambda: len(worker.tracker) and kie_task.ended, what="the image")
        assert await gateway.tracker.callback_received(task.id, KieTaskId(kie_task.id))
        await worker.wait_for_post(generation_id)
        assert not await gateway.tracker.callback_received(task.id, KieTaskId(kie_task.id)), (
            "nobody polls it any longer"
        )


async def test_a_callback_to_a_gateway_brings_an_id_that_was_lost(cluster: Cluster) -> None:
    leader = cluster.leader()
    await leader.take()
    cluster.kie.script.on("createTask", CutAfter())
    async with cluster.worker(leader, submitter_tuned(hold_ambiguous=True)) as worker, cluster.gateway() as gateway:
        task_id = await one_task(gateway)
        await until(lambda: worker.tracker.state(task_id) is TaskState.SUBMITTING, what="the task to be held")
        (kie_task,) = cluster.kie.tasks.values()
        assert await gateway.tracker.callback_received(task_id, KieTaskId(kie_task.id))
        async with worker.store.read() as tx:
            generation_id = (await tx.tasks.get(task_id)).generation_id
        await worker.wait_for_post(generation_id)
        assert len(created(cluster.kie)) == 1


async def test_an_id_of_which_nothing_is_heard_is_found_in_the_row(cluster: Cluster) -> None:
    leader, looks = cluster.leader(), asyncio.Semaphore(0)
    await leader.take()
    cluster.kie.script.on("createTask", CutAfter())
    working = cluster.worker(leader, submitter_tuned(hold_ambiguous=True), deaf(looks))
    async with working as worker, cluster.gateway() as gateway:
        generation_id = await gateway.request()
        (task,) = await gateway.tasks(generation_id)
        looks.release()
        await until(lambda: worker.tracker.state(task.id) is TaskState.SUBMITTING, what="the task to be held")
        (kie_task,) = cluster.kie.tasks.values()
        assert await gateway.tracker.callback_received(task.id, KieTaskId(kie_task.id))
        assert worker.tracker.state(task.id) is TaskState.SUBMITTING
        looks.release()
        await worker.wait_for_post(generation_id)


async def test_progress_that_a_hung_leader_sends_too_late_is_replaced_by_the_outcome(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.generation.late_edits._EDITED_AFTER", 0)
    leader, next_leader = cluster.leader(ttl=1), cluster.leader()
    await leader.take()
    async with cluster.worker(leader) as hung:
        resumed = asyncio.Event()

        async def hang(_: Card) -> None:
            await resumed.wait()

        monkeypatch.setattr(hung.sender, "show", hang)
        generation_id = await hung.request()
        await next_leader.take()
        async with cluster.worker(next_leader) as worker:
            await worker.wait_for_post(generation_id)
            resumed.set()
            await until(lambda: hung.sender.shown_again, what="the outcome to be shown again")
            ((card, images),) = hung.sender.shown_again
            assert (card.generation.id, card.generation.delivery, len(images)) == (generation_id, Delivery.DONE, 1)
        assert (hung.sender.posts, worker.sender.shown_again) == ([], [])


async def test_the_operators_pause_holds_in_every_process(cluster: Cluster) -> None:
    async with cluster.gateway() as gateway, cluster.gateway() as other:
        pauses = OperatorPauses(gateway.runtime)
        began = await pauses.pause("we move", UserId(1))
        assert (await pauses.pause("we move to Oslo", UserId(1))).since == began.since
        for process in (gateway, other):
            with pytest.raises(RequestsPaused) as refused:
                await process.request()
            assert refused.value.reason == "we move to Oslo"
        await OperatorPauses(other.runtime).resume(UserId(1))
        await gateway.request()


async def test_a_gateway_refuses_while_the_leader_is_paused(cluster: Cluster) -> None:
    leader = cluster.leader()
    async with cluster.gateway() as gateway:
        cluster.kie.script.next_tasks(Never())
        await gateway.request("before there is a leader")
        await leader.take()
        async with cluster.worker(leader, ONE_BY_ONE) as worker:
            board, asked = status_of(worker), status_of(gateway)
            publishing = asyncio.create_task(leader.publish(lambda: board.report().to_json(), every=0.02))
            await gateway.request("waits for the first one")
            breaker = worker.workload.funds_breaker

            async def refused() -> bool:
                try:
                    await gateway.request()
                except SubmissionsPaused as error:
                    return error.reason is Failure.KEY_REFUSED
                except ResultsPaused:
                    return worker.workload.results_breaker.is_open
                return False

            async def accepted() -> bool:
                return not await refused()

            # A balance that is read after the refusal ends it, and the first one is read at the start.
            await until(lambda: worker.monitor.reading, what="the first balance")
            breaker.record_key_refused(worker.clock.steady())
            await until(refused, what="the pause")

            async def shows_the_leaders_queue() -> bool:
                queue = (await asked.status()).queue
                return queue.pause is not None and queue.waiting == len(worker.workload.queue) > 0

            await until(shows_the_leaders_queue, what="the leader's queue")
            breaker.restore(worker.clock.steady(), Credits(1), worker.clock.steady(), Failure.OUT_OF_CREDITS)
            await until(accepted, what="the end of the pause")
            for number in range(3):
                worker.workload.results_breaker.record_failure(TaskId(number), worker.clock.steady())
            await until(refused, what="the pause for results")
            await end(publishing)


async def test_a_gateway_hands_over_what_the_leader_could_post_nowhere(cluster: Cluster) -> None:
    leader = cluster.leader()
    await leader.take()
    async with cluster.worker(leader) as worker, cluster.gateway() as gateway:
        worker.sender.always = Undeliverable("nowhere")
        generation_id, undelivered = await gateway.request(), gateway.pipeline.undelivered

        async def claimed() -> bool:
            return await undelivered.claim(ALICE) == [generation_id]

        await until(claimed, what="the image to be kept for the next command")
        handed = await undelivered.load(generation_id, 10 << 20)
        assert handed is not None
        assert len(handed.images) == 1
        await worker.pipeline.results.sweep()
        assert spooled(worker, gateway) == [1, 1]
        undelivered.mark_delivered(handed, Posted(ChannelId(5), MessageId(6)))
        await worker.wait_for_states(generation_id, TaskState.DELIVERED)
        assert cluster.ledger(generation_id) == [RESERVED, SETTLED]
        assert await undelivered.load(generation_id, 10 << 20) is None
        await worker.pipeline.results.sweep()
        await until(lambda: spooled(worker, gateway) == [0, 0], what="both copies to be removed")


def spooled(*backends: Backend) -> list[int]:
    """How many images each process keeps."""
    return [len([*backend.spool_folder.iterdir()]) for backend in backends]


def status_of(backend: Backend) -> StatusBoard:
    return StatusBoard(
        backend.runtime,
        workload=backend.workload,
        submitter=backend.pipeline.submitter,
        balance_monitor=backend.monitor,
        workers={},
        options=StatusOptions(None, backend.spool_folder, None),
    )


async def test_a_former_leaders_moves_are_refused(cluster: Cluster) -> None:
    former, present = cluster.leader(ttl=0.5), cluster.leader()
    await former.take()
    async with cluster.gateway() as gateway:
        task_id = await one_task(gateway)
        await present.take()
        with pytest.raises(LeaseLost):
            await former.hold()
        assert (former.lease, present.lease) == (Taken(KIE, 1), Taken(KIE, 2))

        async def is_fenced(move: Callable[[TaskRepository, Taken | None], Awaitable[bool]]) -> None:
            for moved, leader in ((False, former), (True, present)):
                async with cluster.store.write() as tx:
                    assert await move(tx.tasks, leader.lease) is moved

        await is_fenced(lambda tasks, lease: tasks.submitting(task_id, NOW, lease))
        await is_fenced(lambda tasks, lease: tasks.requeue(task_id, lease))
        await is_fenced(lambda tasks, lease: tasks.submitting(task_id, NOW, lease))
        async with cluster.store.write() as tx:
            assert await tx.tasks.running(task_id, KieTaskId("kie"), NOW, NOW)
        await is_fenced(lambda tasks, lease: tasks.overdue(task_id, NOW, NOW, lease))
        await is_fenced(lambda tasks, lease: tasks.fail(task_id, Failure.TOO_SLOW, NOW, leader=lease))


async def test_nothing_is_posted_while_the_lease_may_have_run_out(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    sure, asked = [True], list[bool]()

    def is_sure(_: Leader) -> bool:
        asked.append(sure[0])
        return sure[0]

    monkeypatch.setattr(Leader, "is_sure", property(is_sure))
    monkeypatch.setattr(delivery_module, "_UNSURE_RETRY_SECONDS", 0.01)
    leader = cluster.leader()
    await leader.take()
    rarely = tuned(pace=partial(Pace, every=3600))
    async with cluster.worker(leader, rarely) as worker:
        generation_id = await worker.request()
        await worker.wait_for_states(generation_id, TaskState.RUNNING)
        (task,), (kie_task,) = await worker.tasks(generation_id), cluster.kie.tasks.values()
        await until(lambda: kie_task.ended and len(worker.tracker), what="the image")
        await until(lambda: not len(worker.runtime.background), what="the work in progress")
        shown, sure[0] = len(worker.sender.shown), False
        assert worker.tracker.poll_now(task.id)
        await worker.wait_for_states(generation_id, TaskState.READY)
        asked.clear()
        await until(lambda: len(asked) >= 20, what="the delivery to look again and again")
        assert (worker.sender.posts_of(generation_id), len(worker.sender.shown)) == ([], shown)
        sure[0] = True
        await worker.wait_for_post(generation_id)


async def test_a_former_leader_that_begins_late_fails_nothing_of_the_present_one(cluster: Cluster) -> None:
    former, present = cluster.leader(ttl=0.5), cluster.leader()
    async with cluster.gateway() as gateway:
        task_id = await one_task(gateway)
        await former.take()
        await present.take()
        async with cluster.store.write() as tx:
            assert await tx.tasks.submitting(task_id, NOW, present.lease)
        async with cluster.worker(former), cluster.store.read() as tx:
            assert (await tx.tasks.get(task_id)).state is TaskState.SUBMITTING
        async with cluster.worker(present), cluster.store.read() as tx:
            assert (await tx.tasks.get(task_id)).state is TaskState.FAILED


async def test_a_new_leader_counts_the_call_that_was_not_answered(cluster: Cluster) -> None:
    former, present = cluster.leader(), cluster.leader()
    await former.take()
    cluster.kie.script.on("createTask", Hang())
    async with cluster.worker(former) as worker:
        await worker.request()
        await until(lambda: created(cluster.kie), what="createTask")
    await former.give_back()
    await present.take()
    async with cluster.worker(present) as worker:
        await until(lambda: worker.pipeline.submitter.calls_in_window == 1, what="the former leader's call")


async def test_nothing_is_sent_to_kie_while_the_lease_may_have_run_out(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_sure, answers = cast("property", vars(Leader)["is_sure"]), list[bool]()

    def asked(leader: Leader) -> bool:
        answers.append(is_sure.__get__(leader))
        return answers[-1]

    monkeypatch.setattr(Leader, "is_sure", property(asked))
    leader = cluster.leader(ttl=2)
    await leader.take()
    async with cluster.worker(leader) as worker, cluster.gateway() as gateway:
        await until(lambda: not leader.is_sure, what="the lease to run out")
        generation_id = await gateway.request()
        await queue_has(worker, 1)
        answers.clear()
        await until(lambda: len(answers) >= 3, what="the submitter to look again")
        assert not any(answers)
        assert await worker.states(generation_id) == [TaskState.RESERVED]
        assert created(cluster.kie) == []
        # Nobody has taken it meanwhile.
        holding = asyncio.create_task(leader.hold())
        await worker.wait_for_post(generation_id)
        await end(holding)


async def test_a_leader_that_becomes_unsure_between_row_and_question_does_not_ask(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader = cluster.leader()
    await leader.take()
    async with cluster.worker(leader) as worker, cluster.gateway() as gateway:
        submitter = worker.pipeline.submitter
        monkeypatch.setattr(Leader, "is_sure", property(lambda _: submitter.calls_in_window == 0))
        task_id = await one_task(gateway)
        await until(
            lambda: submitter.calls_in_window == 1 and not submitter.is_sending(task_id), what="the task to be put back"
        )
        assert created(cluster.kie) == []
        async with worker.store.read() as tx:
            assert (await tx.tasks.get(task_id)).state is TaskState.RESERVED


async def test_another_process_takes_over_and_asks_kie_for_nothing_twice(cluster: Cluster) -> None:
    first, second = cluster.leader(ttl=1.5), cluster.leader()
    await first.take()
    holding = asyncio.create_task(first.hold())
    async with cluster.gateway() as gateway:
        standing_by = asyncio.create_task(second.take())
        cluster.kie.script.on("createTask", Hang())
        async with cluster.worker(first, tuned(request_seconds=60)):
            in_doubt = await gateway.request()
            await until(lambda: created(cluster.kie), what="createTask")
            assert not standing_by.done()
        await end(holding)
        waiting = [await gateway.request(f"number {number}") for number in range(3)]
        await asyncio.wait_for(standing_by, 10)
        async with cluster.worker(second) as worker:
            (lost,) = (await worker.wait_for_post(in_doubt)).tasks
            assert lost.failure is Failure.UNKNOWN_OUTCOME
            for generation_id in waiting:
                await worker.wait_for_post(generation_id)
            assert sorted(worker.prompts()) == sorted([PROMPT, "number 0", "number 1", "number 2"])
            with pytest.raises(LeaseLost):
                await first.hold()
