"""Two processes decide about a report in the same moment: what excludes each other is never both, and paid once."""

import asyncio
from itertools import count, permutations
from pathlib import Path

import pytest

from bot.domain.credits import Credits
from bot.domain.ids import ChannelId, UserId
from bot.domain.image_reports import Reporter, ReportVerdict
from bot.domain.rules import ServerSettings
from bot.domain.states import TaskState
from bot.generation.image_reports import ImageReports
from bot.runtime import BackgroundTasks, Runtime
from bot.store.store import Store
from tests.database import fresh_database
from tests.factories import ALICE, NOW
from tests.store.services import SetClock
from tests.store.test_retention import image_of, made

BOTH = {ReportVerdict.DELETED, ReportVerdict.REFUNDED}
DISMISSED = {ReportVerdict.DISMISSED}


def reports_in(store: Store) -> ImageReports:
    return ImageReports(Runtime(store, SetClock(), BackgroundTasks("reports", grace=0), count(1).__next__))


@pytest.mark.parametrize("order", list(permutations(ReportVerdict)), ids=" ".join)
async def test_processes_decide_once(tmp_path: Path, order: tuple[ReportVerdict, ...]) -> None:
    url = fresh_database(tmp_path)
    async with Store.open(url) as one, Store.open(url) as other:
        generation = await made(one, NOW, TaskState.DELIVERED)
        image = image_of(generation)
        async with one.write() as tx:
            await tx.images.add([image])
            await tx.rules.put_settings(ALICE.guild_id, ServerSettings(reports_channel=ChannelId(4)))
        processes = [reports_in(one), reports_in(other)]
        reported = await processes[0].report(image.id, ALICE.guild_id, Reporter(UserId(8), ""))
        deciding = [
            reports.decide(reported, verdict, UserId(20 + number))
            for verdict in order
            for number, reports in enumerate(processes)
        ]
        await asyncio.gather(*deciding)
        async with one.read() as tx:
            report = await tx.image_reports.get(image.id)
            bonus = await tx.ledger.bonus(ALICE)
        assert report is not None
        done = set(report.decisions)
        assert done in (BOTH, DISMISSED)
        assert bonus == (generation.unit_price if done == BOTH else Credits(0))
