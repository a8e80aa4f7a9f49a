"""How soon a new process goes on with what the one before left open: from being ready to the first sign of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from demo.kie import RecordedRequest
from tests.crash.books import Books, Generation, Task
from tests.crash.world import World
from tests.front import Request

PROMISED: Final = 2.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Left:
    """One thing that a killed process left open, and what tells that it is gone on with."""

    what: str
    generation: Generation
    task: Task | None

    def shows_at_kie(self, call: RecordedRequest) -> bool:
        """Whether a call to KIE is about it."""
        if self.what == "reserved":
            body = cast("dict[str, dict[str, str]]", call.json) if call.path.endswith("createTask") else {}
            return self.generation.tag in body.get("input", {}).get("prompt", "")
        kie_task_id = self.task.kie_task_id if self.task else None
        return kie_task_id is not None and (call.query.get("taskId") == kie_task_id or kie_task_id in call.path)

    def shows_at_discord(self, request: Request) -> bool:
        """Whether a call to Discord is about it."""
        generation = self.generation
        about_card = generation.message_id is not None and str(generation.message_id) in request.path
        about_token = bool(generation.token) and generation.token in request.path
        # A card that cannot be edited any more is posted anew, with the wish's words in it.
        return about_card or about_token or generation.tag in str(request.body or "")


def left_open(books: Books, *, held: bool) -> list[Left]:
    """What a new process has to go on with. What is ``held`` for KIE's callback is only waited for."""
    waited_for = {"reserved", "running", "overdue", *(() if held else ("submitting",))}
    found: list[Left] = []
    for generation in books.generations:
        states = {task.state for task in generation.tasks}
        busy = bool(states & {"reserved", "submitting", "running"})
        found += [Left(task.state, generation, task) for task in generation.tasks if task.state in waited_for]
        if generation.delivery != "done" and not busy:
            what = "ready" if "ready" in states else "not told"
            found.append(Left(what, generation, next((t for t in generation.tasks if t.state == "ready"), None)))
    return found


def waits(
    world: World, left: Sequence[Left], *, since: float, ready_at: float, until: float
) -> list[tuple[str, float]]:
    """Seconds from ``ready_at`` until each thing was gone on with; those that the process did not live to are left out.

    What a process that lived for longer than promised did not go on with counts with the whole of its life.
    """
    kie = [call for call in world.kie.requests if call.at >= since]
    discord = [request for request in world.front.requests if request.at >= since]
    found: list[tuple[str, float]] = []
    for one in left:
        times = [call.at for call in kie if one.shows_at_kie(call)]
        times += [request.at for request in discord if one.shows_at_discord(request)]
        if times:
            found.append((one.what, max(0.0, min(times) - ready_at)))
        elif until - ready_at > PROMISED and one.what != "overdue":
            found.append((one.what, until - ready_at))
    return found
