"""Who is next: fair order among members, whatever the length of their wish lists."""

from collections import Counter, OrderedDict

from bot.domain.ids import GenerationId, TaskId, UserId


class FairQueue:
    """Waiting tasks. The member with the fewest tasks at work goes first, among equals who was served longest ago.

    However many tasks a member has waiting, they delay another member's first by one at most. ``pop`` and
    ``position`` cost time in proportion to the number of members who wait, not of tasks.
    """

    def __init__(self) -> None:
        self._waiting: dict[UserId, OrderedDict[TaskId, GenerationId]] = {}
        self._at_work: Counter[UserId] = Counter()
        self._served: dict[UserId, int] = {}
        self._turns = 0

    def __len__(self) -> int:
        return sum(len(tasks) for tasks in self._waiting.values())

    @property
    def at_work(self) -> int:
        """Tasks handed out by :meth:`pop` or counted by :meth:`resume`, and not finished."""
        return self._at_work.total()

    def add(self, user: UserId, generation: GenerationId, task: TaskId) -> None:
        """Let a task wait, behind the member's own older ones: ids sort by time."""
        tasks = self._waiting.setdefault(user, OrderedDict())
        tasks[task] = generation
        if len(tasks) > 1 and next(reversed(tasks)) < max(tasks):
            self._waiting[user] = OrderedDict(sorted(tasks.items()))

    def take_back(self, user: UserId, generation: GenerationId, task: TaskId) -> None:
        """Let a task wait again that was handed out in vain: that was no turn of its member's."""
        self.add(user, generation, task)
        self._served.pop(user, None)

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
        user = min(self._waiting, key=lambda one: (self._at_work[one], *self._claim(one)))
        task = self._head(user)
        self.discard(user, task)
        self._at_work[user] += 1
        self._turns += 1
        self._served[user] = self._turns
        return user, task

    def resume(self, user: UserId) -> None:
        """Count a task that was already at work when the process started."""
        self._at_work[user] += 1

    def finish(self, user: UserId) -> None:
        """One of the member's tasks is no longer at work."""
        self._at_work[user] -= 1
        if self._at_work[user] <= 0:
            del self._at_work[user]
            if user not in self._waiting:
                self._served.pop(user, None)

    def position(self, user: UserId, generation: GenerationId) -> int | None:
        """The place in line (1 is next) of a generation's first waiting task if nobody new comes, or None."""
        mine = self._waiting.get(user, OrderedDict())
        index = next((i for i, owner in enumerate(mine.values()) if owner == generation), None)
        if index is None:
            return None
        level = self._at_work[user] + index
        ahead = index
        for other, tasks in self._waiting.items():
            if other != user:
                # Theirs that go while they have fewer at work than this member will have then, and perhaps one more.
                # Of two with equally many, who started with more has been served less lately.
                start = self._at_work[other]
                precedes = (-start, *self._claim(other)) < (-self._at_work[user], *self._claim(user))
                ahead += min(max(level - start + (precedes and level >= start), 0), len(tasks))
        return ahead + 1

    def _claim(self, user: UserId) -> tuple[int, TaskId]:
        """Among members with equally many tasks at work, the smallest goes first."""
        return self._served.get(user, 0), self._head(user)

    def _head(self, user: UserId) -> TaskId:
        return next(iter(self._waiting[user]))
