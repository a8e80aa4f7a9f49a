"""The comparison of the previous rule (dynamic programming, cohorts, turns, outages) with the present one, in one run.

``python -m tests.bench.before``. It goes with the modules that it measures.
"""

from collections.abc import Iterator, Sequence

from bot.domain.polling import FairShare, Schedules
from bot.domain.schedule import Schedule
from bot.domain.turns import Turns
from tests.bench import outages, schedule
from tests.bench.policies import POLLS, PRO, Ages, Truth


def _planned(plan: Schedule) -> Ages:
    def ages() -> Iterator[float]:
        age = 0.0
        while True:
            age = plan.next_after(age)
            yield age

    return ages


def _before(truth: Truth, known: Sequence[float]) -> Ages:
    return _planned(Schedules(POLLS, recent=((truth.known_as, seconds) for seconds in known)).of(truth.known_as))


class LearningBefore(schedule.Learning):
    """One task after another by the previous rule."""

    def __init__(self, known: Sequence[float]) -> None:
        self._schedules = Schedules(POLLS, recent=((PRO, seconds) for seconds in known))

    def ages(self) -> Ages:
        """By what was learned until now."""
        return _planned(self._schedules.of(PRO))

    def learn(self, seconds: float) -> None:
        """A task took so long."""
        self._schedules.learn(PRO, seconds)


class Before:
    """Many tasks by the previous rule."""

    def __init__(self, known: Sequence[float], per_second: int) -> None:
        self._schedules = Schedules(POLLS, recent=((PRO, seconds) for seconds in known))
        self._turns = Turns[int](self._schedules, FairShare(per_second))

    def gap(self, task: int, submitted: float, now: float) -> float:
        """As the tracker had it."""
        return self._turns.gap(task, PRO, submitted, now)

    def ended(self, task: int, submitted: float, end: float, now: float) -> Sequence[int]:
        """As the tracker told it."""
        others = self._turns.ended(task, PRO, end, now)
        for begun, seconds in self._turns.learnable(PRO, submitted, end - submitted, now):
            self._schedules.learn(PRO, seconds, begun)
        self._schedules.of(PRO)
        return others


if __name__ == "__main__":
    schedule.LEARNERS["before"] = _before
    schedule.FOLLOWERS["before"] = LearningBefore
    outages.POLICIES["before"] = Before
    schedule.main()
