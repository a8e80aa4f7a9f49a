"""How many tasks KIE accepts from one account."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class KieLimits:
    """New tasks per window of seconds, and tasks running at once."""

    new_tasks: int
    window: float
    running_tasks: int

    def estimate_wait(self, position: int, running: int, typical: float) -> float:
        """Seconds until the task at this place in line is submitted, given how many are running now."""
        by_rate = (position - 1) // self.new_tasks * self.window
        over = max(position - max(self.running_tasks - running, 0), 0)
        return max(by_rate, over * typical / self.running_tasks)


TASK_SECONDS_MAX: Final = 3600.0
"""KIE gives a task up after ten minutes, so a much longer duration shows only that a clock was wrong."""
KIE_LIMITS: Final = KieLimits(new_tasks=20, window=10.0, running_tasks=100)
"""What KIE grants every account (docs.kie.ai)."""
