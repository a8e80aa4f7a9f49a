"""Plots for docs/performance.md."""

import random
from pathlib import Path
from typing import Final

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from bot.domain.learning import Prior, expect
from bot.domain.schedule import plan
from tests.bench.policies import FIXED, Reference, Truth, ask, planned, truths

_CALLS: Final = (5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0)
_TASKS: Final = 2000


def draw_schedules(path: Path) -> None:
    """Mean delay by the number of questions: the optimum, the best even interval, Easel, and what public clients do."""
    shown = truths()[:3]
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasSVG(figure)
    for place, truth in enumerate(shown, start=1):
        axes = figure.add_subplot(1, len(shown), place)
        durations = truth.durations(_TASKS)
        reference = Reference.of([(truth, durations)])
        axes.plot(_CALLS, [reference.best(calls) for calls in _CALLS], label="optimum", color="#23a55a")
        axes.plot(_CALLS, [reference.fixed(calls) for calls in _CALLS], label="best even interval", color="#80848e")
        axes.plot(_CALLS, [_learned(truth, durations, calls) for calls in _CALLS], ".", label="Easel, 200 known")
        for policy, moments in FIXED.items():
            outcome = ask(moments, durations)
            axes.plot([outcome.calls], [outcome.mean], "x", color="#f23f43")
            axes.annotate(policy, (outcome.calls, outcome.mean), fontsize=6)
        axes.set_title(truth.name, fontsize=9)
        axes.set_xlabel("questions per task", fontsize=8)
        axes.set_ylabel("mean delay, s", fontsize=8)
        axes.set_ylim(0, 3)
        axes.legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})


def _learned(truth: Truth, durations: list[float], calls: float) -> float:
    recent = truth.sample(random.Random(7), 200)
    return ask(planned(plan(expect(recent, Prior(truth.published)), calls)), durations).mean
