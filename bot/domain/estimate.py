"""What is known in advance: how long tasks take elsewhere, and what an account is granted."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.settings import Model, Resolution

PUBLISHED_SECONDS: Mapping[tuple[Model, Resolution], float] = {
    (Model.PRO, Resolution.ONE_K): 15.0,
    (Model.PRO, Resolution.TWO_K): 20.0,
    (Model.FLEX, Resolution.ONE_K): 16.0,
    (Model.FLEX, Resolution.TWO_K): 25.0,
}
"""Expected until durations are measured: medians that other FLUX.2 hosts publish for 1K (pro 14.1 and 16.6 s, flex
15.8 s); for 2K a guess in proportion."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What KIE grants an account: new tasks per window of seconds, and tasks at work at once (docs.kie.ai)."""

    new_tasks: int = 20
    window: float = 10.0
    at_work: int = 100

    def estimate_wait(self, position: int, at_work: int, typical: float) -> float:
        """Seconds until the task at this place in line is submitted, given how many are at work now."""
        by_rate = (position - 1) // self.new_tasks * self.window
        over = max(position - max(self.at_work - at_work, 0), 0)
        return max(by_rate, over * typical / self.at_work)
