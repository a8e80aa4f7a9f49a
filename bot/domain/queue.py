"""Who is next: fair order among members, whatever the length of their wish lists."""

from collections import Counter, OrderedDict
from itertools import islice

from bot.domain.ids import GenerationId, TaskId, UserId


class FairQueue:
    """Waiting tasks, served so that the member with the fewest tasks at work goes first, then the oldest task.

    A member with forty waiting tasks delays another member's first by one task at most. ``pop`` costs
    time in proportion to the number of members who wait, not of tasks; ``position`` also looks along their lines.
    """

    def __init__(self) -> None:
        self._waiting: dict[UserId, OrderedDict[TaskId, GenerationId]] = {}
        self._at_work: Counter[UserId] = Counter()

    def __len__(self) -> int:
        return sum(len(tasks) for tasks in self._waiting.values())

    @property
    def at_work(self) -> int:
        """Tasks handed out by :meth:`pop` or counted by :meth:`resume`, and not finished."""
        return self._at_work.total()

    def add(self, user: UserId, generation: GenerationId, task: TaskId) -> None:
        """Let a task wait. One that comes back after a refusal keeps its age, since ids sort by time."""
        tasks = self._waiting.setdefault(user, OrderedDict())
        tasks[task] = generation
        if len(tasks) > 1 and next(reversed(tasks)) < max(tasks):
            self._waiting[user] = OrderedDict(sorted(tasks.items()))

    def discard(self, user: UserId, task: TaskId) -> bool:
        """Take a waiting task out; False when it was not waiting."""
        tasks = self._waiting.get(user)
        if tasks is None or tasks.pop(task, None) is None:
            return False
        if not tasks:
            del self._waiting[user]
        return True

    def pop(self) -> tuple[UserId, TaskId] | None:
        """The next task, now counted as at work for its member."""
        if not self._waiting:
            return None
        user = min(self._waiting, key=lambda one: (self._at_work[one], self._head(one)))
        task = self._head(user)
        self.discard(user, task)
        self._at_work[user] += 1
        return user, task

    def resume(self, user: UserId) -> None:
        """Count a task that was already at work when the process started."""
        self._at_work[user] += 1

    def finish(self, user: UserId) -> None:
        """One of the member's tasks is no longer at work."""
        self._at_work[user] -= 1
        if self._at_work[user] <= 0:
            del self._at_work[user]

    def position(self, user: UserId, generation: GenerationId) -> int | None:
        """The place in line (1 is next) of a generation's first waiting task if nobody new comes, or None."""
        mine = self._waiting.get(user, OrderedDict())
        found = next(((i, task) for i, (task, owner) in enumerate(mine.items()) if owner == generation), None)
        if found is None:
            return None
        index, mine_then = found
        ahead = index
        for other, tasks in self._waiting.items():
            if other != user:
                # How many of theirs go while they have fewer at work than this member will have; then the older goes.
                sooner = max(self._at_work[user] + index - self._at_work[other], -1)
                theirs_then = next(islice(tasks, sooner, None), None) if sooner >= 0 else None
                ahead += min(max(sooner, 0), len(tasks)) + (theirs_then is not None and theirs_then < mine_then)
        return ahead + 1

    def _head(self, user: UserId) -> TaskId:
        return next(iter(self._waiting[user]))
