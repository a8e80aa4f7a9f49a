"""What a bot, the fakes and the machine did between two moments of a benchmark."""

import os
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Self

from tests.bench.commands import count_posted, now
from tests.bench.fake_discord import FakeDiscord
from tests.bench.fake_kie import read_stats
from tests.bench.processes import Child


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Totals since the start, or what came between two snapshots. Processor times are in seconds."""

    time: float
    """Unix seconds."""
    created: int
    """Tasks that Easel created at KIE."""
    ended: int
    """Tasks whose end KIE has reported."""
    polls: int
    uploads: int
    posted: int
    bot_cpu: float
    loop_ran: float
    """Of the bot's main thread, which runs its event loop."""
    loop_waited: float
    """Time for which the main thread waited for a processor."""
    sandbox_cpu: float
    """Of the processes that the bot has started, which decode members' images."""
    discord_cpu: float
    """Of this process, in which the fake Discord runs."""
    machine_cpu: float

    @classmethod
    async def take(cls, bot: Child, kie_port: int, discord: FakeDiscord) -> Self:
        """The totals at this moment."""
        kie = await read_stats(kie_port)
        counts = (kie.created, kie.reported, kie.polls, kie.uploads, count_posted(discord.commands.values()))
        bot_cpu = (bot.cpu_seconds(), *bot.main_thread_seconds(), bot.descendants_cpu_seconds())
        return cls(now(), *counts, *bot_cpu, time.process_time(), _machine_cpu())

    def since(self, earlier: Self) -> Self:
        """What came after an earlier snapshot; ``time`` is the seconds between the two."""
        return type(self)(*(value - before for value, before in zip(astuple(self), astuple(earlier), strict=True)))

    def cpu_shares(self) -> str:
        """How many processors everything took, of what came between two snapshots."""
        seconds = {
            "bot": self.bot_cpu,
            "its event loop": self.loop_ran,
            "waiting for a processor": self.loop_waited,
            "its decoders": self.sandbox_cpu,
            "the fake Discord": self.discord_cpu,
            "the whole machine": self.machine_cpu,
        }
        return ", ".join(f"{name} {value / self.time:.2f}" for name, value in seconds.items())


def _machine_cpu() -> float:
    """Processor time spent by everything on the machine (proc(5), stat)."""
    user, nice, system, _, _, *rest = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]
    return sum(map(int, (user, nice, system, *rest))) / os.sysconf("SC_CLK_TCK")
