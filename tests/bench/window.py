"""What a bot, the stand-ins and the machine have done between two moments of a benchmark."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.kie_load import stats
from tests.bench.processes import Child
from tests.bench.volley import Command, Volley


@dataclass(frozen=True, slots=True)
class Look:
    """All that happened until a moment; processor times in seconds."""

    at: float
    """By `time.perf_counter`."""
    open: int
    """Tasks that KIE has, whose end it has not told."""
    submitted: int
    ended: int
    """Tasks whose end KIE has told."""
    questions: int
    uploads: int
    pictures: int
    """Posted."""
    bot_cpu: float
    loop_ran: float
    """The bot's main thread, in which its event loop is,"""
    loop_waited: float
    """and for how long others had the processors when it could have run."""
    darkroom_cpu: float
    """Of the processes that the bot has started, and of theirs: they develop members' pictures."""
    discord_cpu: float
    """Of this process, in which Discord's stand-in is."""
    machine_cpu: float

    @classmethod
    async def now(cls, bot: Child, kie_port: int, found: int, volley: Volley) -> "Look":
        """``found`` is how many tasks the bot has found at its start; ``volley`` holds all that may be posted."""
        seen = await stats(kie_port)
        ended = seen.made.finished + seen.found.finished
        return cls(
            time.perf_counter(),
            found + seen.created - ended,
            seen.created,
            ended,
            seen.made.times + seen.found.times,
            seen.uploads,
            volley.pictured,
            bot.cpu_seconds(),
            *bot.main_thread(),
            bot.children_cpu_seconds(),
            time.process_time(),
            _machine_cpu(),
        )


@dataclass(frozen=True, slots=True)
class Window:
    """Two moments, and what happened between them."""

    first: Look
    last: Look

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.last.at - self.first.at

    @property
    def ended(self) -> int:
        """Tasks whose end was told."""
        return self.last.ended - self.first.ended

    @property
    def questions(self) -> int:
        """How often KIE was asked after a task."""
        return self.last.questions - self.first.questions

    @property
    def submitted(self) -> int:
        """Tasks that KIE took."""
        return self.last.submitted - self.first.submitted

    @property
    def uploads(self) -> int:
        """References that were downloaded, developed and uploaded."""
        return self.last.uploads - self.first.uploads

    @property
    def pictures(self) -> int:
        """Results that were posted."""
        return self.last.pictures - self.first.pictures

    @property
    def bot_cpu(self) -> float:
        """Processor time of the bot's own process, in seconds."""
        return self.last.bot_cpu - self.first.bot_cpu

    def shares(self) -> str:
        """How much of one processor everybody took, in words."""
        taken = {
            "bot": self.bot_cpu,
            "its event loop": self.last.loop_ran - self.first.loop_ran,
            "waiting for a processor": self.last.loop_waited - self.first.loop_waited,
            "its darkroom": self.last.darkroom_cpu - self.first.darkroom_cpu,
            "Discord's stand-in": self.last.discord_cpu - self.first.discord_cpu,
            "the whole machine": self.last.machine_cpu - self.first.machine_cpu,
        }
        return ", ".join(f"{name} {seconds / self.seconds:.2f}" for name, seconds in taken.items())

    def delays(self, ends: Sequence[tuple[float, Command]]) -> list[float]:
        """Seconds from a task's end (in Unix seconds) to its picture, of those posted within the window; sorted."""
        wall = time.time() - time.perf_counter()
        posted = ((done, command.pictured_at) for done, command in ends if command.pictured_at is not None)
        return sorted(at + wall - done for done, at in posted if self.first.at < at <= self.last.at)


def _machine_cpu() -> float:
    """Processor time that was spent on anything (proc(5), stat)."""
    user, nice, system, _, _, *rest = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]
    return sum(map(int, (user, nice, system, *rest))) / os.sysconf("SC_CLK_TCK")
