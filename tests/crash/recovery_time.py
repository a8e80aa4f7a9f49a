"""How soon a process resumes what the one before left unfinished: from being ready to the first sign of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from demo.kie import RecordedRequest
from tests.crash.snapshot import GenerationRow, Snapshot, TaskRow
from tests.crash.testbed import CrashTestbed
from tests.front import Request

PROMISED_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class UnfinishedWork:
    """Something that a killed process left unfinished, and what shows that it is resumed."""

    kind: str
    generation: GenerationRow
    task: TaskRow | None

    def appears_at_kie(self, call: RecordedRequest) -> bool:
        """Whether a call to KIE is about it."""
        if self.kind == "reserved":
            body = cast("dict[str, dict[str, str]]", call.json) if call.path.endswith("createTask") else {}
            return self.generation.tag in body.get("input", {}).get("prompt", "")
        kie_task_id = self.task.kie_task_id if self.task else None
        return kie_task_id is not None and (call.query.get("taskId") == kie_task_id or kie_task_id in call.path)

    def appears_at_discord(self, request: Request) -> bool:
        """Whether a call to Discord is about it."""
        generation = self.generation
        by_card = generation.message_id is not None and str(generation.message_id) in request.path
        by_token = bool(generation.token) and generation.token in request.path
        # A card that can no longer be edited is posted again, with the prompt in it.
        return by_card or by_token or generation.tag in str(request.body or "")


def unfinished_work(snapshot: Snapshot, *, held: bool) -> list[UnfinishedWork]:
    """What a new process has to resume. With ``held``, ambiguous tasks only wait for KIE's callback."""
    resumed = {"reserved", "running", "overdue", *(() if held else ("submitting",))}
    work: list[UnfinishedWork] = []
    for generation in snapshot.generations:
        states = {task.state for task in generation.tasks}
        work += [UnfinishedWork(task.state, generation, task) for task in generation.tasks if task.state in resumed]
        if generation.delivery != "done" and not states & {"reserved", "submitting", "running"}:
            ready = next((task for task in generation.tasks if task.state == "ready"), None)
            work.append(UnfinishedWork("ready" if ready else "not posted", generation, ready))
    return work


def recovery_times(
    testbed: CrashTestbed, work: Sequence[UnfinishedWork], *, since: float, ready_at: float, until: float
) -> list[tuple[str, float]]:
    """Of each kind of work, the seconds from ``ready_at`` until it was resumed; none if the process ended before that.

    What a process that lived longer than promised did not resume counts with its whole life.
    """
    calls = [call for call in testbed.kie.requests if call.at >= since]
    requests = [request for request in testbed.front.requests if request.at >= since]
    times: list[tuple[str, float]] = []
    for item in work:
        moments = [call.at for call in calls if item.appears_at_kie(call)]
        moments += [request.at for request in requests if item.appears_at_discord(request)]
        if moments:
            times.append((item.kind, max(0.0, min(moments) - ready_at)))
        elif until - ready_at > PROMISED_SECONDS and item.kind != "overdue":
            times.append((item.kind, until - ready_at))
    return times
