"""What KIE made and nobody got costs the member nothing, and counts against every limit over all members."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.credits import Credits, Movement, Span
from bot.domain.ids import ChannelId, KieTaskId, UserId
from bot.domain.rules import ServerSettings
from bot.domain.states import Failure, TaskState
from bot.quota.service import QuotaService
from bot.store.store import Store
from tests.factories import ALICE, NOW, make_generation
from tests.store.desk import open_desk
from tests.store.stored import bring, keep, move

AROUND = Span(NOW - timedelta(days=1), NOW + timedelta(days=1))


@pytest.mark.parametrize(
    ("failure", "counted"),
    [(Failure.UNDELIVERABLE, 5), (Failure.NO_IMAGE, 5), (Failure.BROKEN, 0), (Failure.MODERATED, 0)],
)
async def test_limits_count_what_kie_is_paid_for(store: Store, failure: Failure, counted: int) -> None:
    generation = await keep(store, make_generation())
    (task,) = generation.tasks
    async with store.write() as tx:
        await bring(tx, task, TaskState.READY)
        assert await tx.tasks.fail(task.id, failure, NOW)
    async with store.read() as tx:
        assert await tx.ledger.spent(ALICE, AROUND) == 0
        assert await tx.ledger.spent_together(AROUND) == Credits(counted)
        assert await tx.ledger.spent_together(AROUND, ALICE.guild_id) == Credits(counted)


async def test_a_late_image_counts_for_the_limits_on_the_day_it_came_and_on_nobodys_account(store: Store) -> None:
    generation = await keep(store, make_generation())
    (task,) = generation.tasks
    day = timedelta(days=1)
    today, tomorrow = Span(NOW, NOW + day), Span(NOW + day, NOW + 2 * day)
    async with store.write() as tx:
        await bring(tx, task, TaskState.OVERDUE)
        for _ in range(2):
            await move(tx, task, TaskState.READY, KieTaskId("late"), NOW + day)
        await move(tx, task, TaskState.DELIVERED, KieTaskId("late"), NOW + day)
    async with store.read() as tx:
        assert [await tx.ledger.spent_together(span, ALICE.guild_id) for span in (today, tomorrow)] == [0, 5]
        assert [await tx.ledger.spent_together(span) for span in (today, tomorrow)] == [0, 5]
        assert [await tx.ledger.spent(ALICE, span) for span in (today, tomorrow)] == [0, 0]
        own = [entry.movement for entry in await tx.ledger.recent(ALICE, 10)]
        newest, *_ = await tx.ledger.page(ALICE.guild_id, None, 0, 10)
    assert Movement.LATE not in own
    assert (newest.movement, newest.credits, newest.user_id) == (Movement.LATE, -5, None)


async def test_changes_of_settings_at_once_are_all_kept(store: Store, tmp_path: Path) -> None:
    channels = [ChannelId(number) for number in range(1, 21)]
    async with open_desk(store, tmp_path) as desk:
        await asyncio.gather(*(allow(desk.quotas, channel) for channel in channels))

        assert (await desk.quotas.settings(ALICE.guild_id)).channels == frozenset(channels)


async def allow(quotas: QuotaService, channel: ChannelId) -> None:
    def change(before: ServerSettings) -> ServerSettings:
        return ServerSettings(before.zone, channels=before.channels | {channel})

    def words(_before: ServerSettings, _after: ServerSettings) -> str:
        return "a channel more"

    await quotas.change_settings(ALICE.guild_id, UserId(7), change, words)
