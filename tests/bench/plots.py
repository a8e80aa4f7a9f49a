"""Plots for docs/performance.md."""

import random
from pathlib import Path
from typing import Final

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from bot.polling.durations import Durations
from tests.bench.policies import Reference, by_rule, every, poll, truths

_POLLS: Final = (5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0)
_TASKS: Final = 2000


def draw_schedules(path: Path) -> None:
    """Mean delay by the number of polls: the optimum, the best even interval, the bot's rule, and every 2 seconds."""
    shown = truths()[:3]
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasSVG(figure)
    for place, truth in enumerate(shown, start=1):
        axes = figure.add_subplot(1, len(shown), place)
        durations = truth.durations(_TASKS)
        reference = Reference.of([(truth, durations)])
        known = Durations((truth.known_as, seconds) for seconds in truth.sample(random.Random(7), 200))
        by_polls = [poll(by_rule(known, truth.known_as, polls), durations) for polls in _POLLS]
        axes.plot(_POLLS, [reference.best(polls) for polls in _POLLS], label="optimum", color="#23a55a")
        axes.plot(_POLLS, [reference.even(polls) for polls in _POLLS], label="best even interval", color="#80848e")
        axes.plot([at.polls for at in by_polls], [at.mean for at in by_polls], ".", label="Easel, 200 known")
        fixed = poll(every(2.0), durations)
        axes.plot([fixed.polls], [fixed.mean], "x", color="#f23f43", label="every 2 s")
        axes.set_title(truth.name, fontsize=9)
        axes.set_xlabel("polls per task", fontsize=8)
        axes.set_ylabel("mean delay, s", fontsize=8)
        axes.set_ylim(0, 3)
        axes.legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})
