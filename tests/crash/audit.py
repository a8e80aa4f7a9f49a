"""The audit: compares the database, KIE's bill and Discord's messages with one another."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from simcord import InteractionResult, ResponseMessage

from bot.domain.ids import TaskId
from bot.store import postgres
from bot.store.audit import audit as find_problems
from bot.store.sqlite import integrity_problems
from bot.ui.texts.cards import FULL_PROMPT
from demo.kie import Fail, KieTask
from tests.crash.load import MemberAction, tag_of
from tests.crash.snapshot import FINAL, GenerationRow, Snapshot, TaskRow, read_snapshot
from tests.crash.testbed import CallbackRelay, CrashTestbed
from tests.discord_schema import problems_of
from tests.kie.schema import check_all
from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import has_ended

_UNKNOWN: Final = "unknown_outcome"
_NEVER_ACCEPTED: Final = "its request was never accepted, and nobody told the member"
_BEFORE_RECOVERY: Final = "its callback came before a new process had read the database, and was lost"
_LOST: Final = "its callback was accepted by a process and lost"
_RECOVERED_EVENTS: Final = ('"recovered"', '"generation accepted"', '"task submitted"')
_IGNORED_CALLBACK_EVENT: Final = "callback for a task that is not tracked"


@dataclass
class CrashAudit:
    """What is wrong, and what is only to be explained, counted by reason."""

    problems: list[str] = field(default_factory=list[str])
    requests: Counter[str] = field(default_factory=Counter[str])
    tasks: Counter[str] = field(default_factory=Counter[str])
    bill: dict[str, Decimal] = field(default_factory=lambda: defaultdict[str, Decimal](Decimal))
    billed: Decimal = Decimal(0)
    ambiguous: Counter[str] = field(default_factory=Counter[str])
    waiting_cards: Counter[str] = field(default_factory=Counter[str])

    def check(self, holds: bool, problem: str) -> None:
        """Record a problem unless the condition holds."""
        if not holds:
            self.problems.append(problem)


@dataclass(frozen=True, slots=True)
class BotMessage:
    """A message of the bot."""

    id: int
    channel_id: int
    shown: Rendered
    files: tuple[str, ...]

    @property
    def tag(self) -> str | None:
        """The tag of the request that it is a card of."""
        return tag_of(self.shown)


def audit(testbed: CrashTestbed, actions: Sequence[MemberAction]) -> CrashAudit:
    """Audit everything, after the last process has ended."""
    result = CrashAudit()
    snapshot = read_snapshot(testbed.url)
    messages = list(_bot_messages(testbed))
    if not postgres.is_url(testbed.url):
        result.problems += integrity_problems(testbed.database)
    result.problems += find_problems(testbed.url, datetime.now(UTC))
    _audit_ledger(result, snapshot)
    _audit_bill(result, testbed, snapshot)
    _audit_images(result, snapshot, messages)
    _audit_cards(result, actions, snapshot, messages)
    _count_requests(result, actions, snapshot)
    _audit_calls(result, testbed, actions, snapshot)
    check_all(testbed.kie)
    result.problems += {
        problem for call in testbed.front.requests for problem in problems_of(call.method, call.path, call.body)
    }
    return result


def _audit_ledger(result: CrashAudit, snapshot: Snapshot) -> None:
    """Every accepted generation has ended. That its credits moved once is found by the product's own audit."""
    for generation in snapshot.generations:
        result.check(generation.delivery == "done", f"a generation was never posted: {generation}")
        for task in generation.tasks:
            result.tasks[f"{task.reason}{', free' if task.free else ''}"] += 1
            result.check(task.state in FINAL, f"a task has not ended: {task}")


def _audit_bill(result: CrashAudit, testbed: CrashTestbed, snapshot: Snapshot) -> None:
    """Every task at KIE belongs to one of ours, and every credit of KIE's bill to one of the terms."""
    by_kie_id = {task.kie_task_id: task for task in snapshot.tasks if task.kie_task_id is not None}
    tags = {task.id: generation.tag for generation in snapshot.generations for task in generation.tasks}
    unmatched: dict[str, list[KieTask]] = defaultdict(list)
    for kie_task in testbed.kie.tasks.values():
        tag = _tag_of(kie_task)
        task = by_kie_id.pop(kie_task.id, None)
        if task is None:
            unmatched[tag].append(kie_task)
            continue
        result.check(tags[task.id] == tag, f"KIE's task {kie_task.id} belongs to another request: {task}")
        result.check(task.price == kie_task.request.price, f"a task was reserved at another price: {task}")
        if _is_billed(kie_task):
            result.bill[_bill_term(task)] += kie_task.request.price
        else:
            result.check(task.state == "failed", f"a task that KIE failed has not failed: {task}")
    result.check(not by_kie_id, f"tasks that KIE does not know: {by_kie_id}")
    _audit_ambiguous(result, testbed, snapshot, unmatched)
    result.billed = testbed.kie.billed
    explained = sum(result.bill.values(), Decimal(0))
    result.check(explained == result.billed, f"KIE bills {result.billed}, of which {explained} are explained")
    settled = sum((task.price for task in snapshot.tasks if task.end == "settle"), Decimal(0))
    result.check(settled == result.bill["settled"], f"{settled} settled, {result.bill['settled']} of it billed")


def _audit_ambiguous(
    result: CrashAudit, testbed: CrashTestbed, snapshot: Snapshot, unmatched: dict[str, list[KieTask]]
) -> None:
    """KIE's unmatched tasks belong to ambiguous ones of ours, one each: no task was sent twice."""
    ignored = _ignored_callbacks(testbed.outputs)
    ambiguous: dict[str, list[TaskRow]] = defaultdict(list)
    for generation in snapshot.generations:
        ambiguous[generation.tag] += [task for task in generation.tasks if task.failure == _UNKNOWN]
    for tag, kie_tasks in unmatched.items():
        counts = f"{len(kie_tasks)} unmatched tasks at KIE, {len(ambiguous[tag])} ambiguous ones of ours"
        result.check(len(kie_tasks) <= len(ambiguous[tag]), f"{tag}: {counts}")
        for kie_task in kie_tasks:
            if not _is_billed(kie_task):
                result.ambiguous["KIE took it and failed"] += 1
                continue
            result.ambiguous["KIE made it, nobody got it"] += 1
            result.bill["orphans"] += kie_task.request.price
            if testbed.relay is not None:
                why = _why_not_found(testbed.relay, kie_task, ignored)
                result.ambiguous[f"… {why}"] += 1
                lost = why in {_BEFORE_RECOVERY, _LOST}
                result.check(not lost, f"{tag}: an orphan, since {why}: {kie_task.request.callback_url}")
    never_taken = sum(map(len, ambiguous.values())) - sum(map(len, unmatched.values()))
    if never_taken:
        result.ambiguous["KIE never took it"] += never_taken


def _why_not_found(relay: CallbackRelay, kie_task: KieTask, ignored: dict[TaskId, str]) -> str:
    """Why KIE's callback did not bring the id of a task that was being submitted when a process was killed."""
    task = relay.task_of(kie_task.request.callback_url or "")
    if task in ignored:
        return ignored[task]
    return _LOST if any(relay.accepted[task]) else "its callback reached no process"


def _ignored_callbacks(outputs: Iterable[str]) -> dict[TaskId, str]:
    """Our tasks whose callback a process ignored, and why."""
    ignored: dict[TaskId, str] = {}
    for output in outputs:
        why = _BEFORE_RECOVERY
        for line in output.splitlines():
            if any(event in line for event in _RECOVERED_EVENTS):
                why = "its callback came when the task was ambiguous no longer"
            elif _IGNORED_CALLBACK_EVENT in line and line.endswith("}"):
                ignored[TaskId(json.loads(line)["task"])] = why
    return ignored


def _tag_of(task: KieTask) -> str:
    return task.request.prompt.split()[0]


def _is_billed(task: KieTask) -> bool:
    return task.ended and not isinstance(task.outcome, Fail)


def _bill_term(task: TaskRow) -> str:
    if task.state == "delivered":
        return "late, for free" if task.free else "settled"
    if task.end == "goodwill":
        return f"goodwill: {task.failure}"
    return f"{'late, for free, ' if task.free else ''}{task.reason}"


def _audit_images(result: CrashAudit, snapshot: Snapshot, messages: Sequence[BotMessage]) -> None:
    """Every delivered image is in one message; a generation has one message, and each of its late images one."""
    by_task: dict[str, list[BotMessage]] = defaultdict(list)
    cards: dict[str, list[BotMessage]] = defaultdict(list)
    for message in messages:
        if message.tag is not None:
            cards[message.tag].append(message)
        for name in message.files:
            by_task[name.removeprefix("easel-").partition(".")[0]].append(message)
    expected: dict[str, set[int]] = defaultdict(set)
    for generation in snapshot.generations:
        if generation.message_id is not None:
            expected[generation.tag].add(generation.message_id)
        for task in generation.tasks:
            shown_in = [message.id for message in by_task[str(task.id)]]
            stored = snapshot.posted.get(task.id)
            if task.state == "delivered":
                result.check(shown_in == [stored], f"an image is in {shown_in}, stored is {stored}: {task}")
                expected[generation.tag].add(stored or 0)
            else:
                result.check(not shown_in and stored is None, f"an undelivered image is shown in {shown_in}: {task}")
    for tag, shown in cards.items():
        for message in shown:
            # Cards that nobody can edit any more are looked at in _audit_cards.
            extra = message.id not in expected[tag] and has_ended(message.shown)
            result.check(not extra, f"{tag}: one post too many, {message}, of {expected[tag]}")


def _audit_cards(
    result: CrashAudit, actions: Sequence[MemberAction], snapshot: Snapshot, messages: Sequence[BotMessage]
) -> None:
    """No card keeps waiting, but those that nobody can edit."""
    by_id = {message.id: message for message in messages}
    for generation in snapshot.generations:
        card = by_id.get(generation.message_id or 0)
        gone = card is None and any(task.failure == "undeliverable" for task in generation.tasks)
        result.check(gone or card is not None, f"{generation.tag}: the card is gone, {generation}")
        if card is not None and has_ended(card.shown):
            delivered = sum(snapshot.posted.get(task.id) == card.id for task in generation.tasks)
            result.check(delivered == len(card.shown.images), f"{generation.tag}: {delivered} images, on {card}")
    refused = {message.id for action in actions if action.token_refused for message in _answer(action)}
    accepted = {generation.message_id: generation for generation in snapshot.generations}
    tags = {generation.tag for generation in snapshot.generations}
    for message in messages:
        if has_ended(message.shown):
            continue
        why = _why_waiting(message, refused, accepted, tags)
        result.waiting_cards[why] += 1
        wrong = why.startswith("WRONG") or why == _NEVER_ACCEPTED
        result.check(not wrong, f"a card keeps waiting: {why}: {message}")


def _why_waiting(
    message: BotMessage, refused: set[int], accepted: dict[int | None, GenerationRow], tags: set[str]
) -> str:
    if message.id in refused and message.shown.ephemeral:
        return "its token is refused and it is private: nobody can edit it"
    if message.id in accepted or message.tag in tags:
        return "WRONG: its request was accepted"
    if message.id in refused:
        return "its token is refused and its request was never accepted"
    return _NEVER_ACCEPTED


def _audit_calls(
    result: CrashAudit, testbed: CrashTestbed, actions: Sequence[MemberAction], snapshot: Snapshot
) -> None:
    """No request was accepted twice, and KIE took no task twice."""
    asked, accepted, tasks = Counter(action.tag for action in actions), Counter[str](), Counter[str]()
    for generation in snapshot.generations:
        accepted[generation.tag] += 1
        tasks[generation.tag] += len(generation.tasks)
    for tag, count in (accepted - asked).items():
        result.problems.append(f"{tag}: {count} requests accepted too many")
    for tag, count in (Counter(_tag_of(task) for task in testbed.kie.tasks.values()) - tasks).items():
        result.problems.append(f"{tag}: KIE took {count} tasks too many")
    if testbed.relay is not None:
        for address, count in Counter(task.request.callback_url for task in testbed.kie.tasks.values()).items():
            result.check(count == 1, f"KIE took a task {count} times: {address}")


def _count_requests(result: CrashAudit, actions: Sequence[MemberAction], snapshot: Snapshot) -> None:
    for action in actions:
        result.requests["all"] += 1
        acknowledged = not isinstance(action.by, InteractionResult) or action.by.acknowledged
        result.requests["acknowledged" if acknowledged else "not acknowledged: Discord says that no answer came"] += 1
    result.requests["accepted"] = len(snapshot.generations)
    result.requests["posted"] = len(set(snapshot.posted.values()))


def _answer(action: MemberAction) -> list[ResponseMessage]:
    if not isinstance(action.by, InteractionResult) or action.by.response is None:
        return []
    return [action.by.response]


def _bot_messages(testbed: CrashTestbed) -> Iterable[BotMessage]:
    """Everything that the bot posted and that still exists, in all channels, but for the menus of images."""
    backend = testbed.front.env.backend
    for channel in list(backend.messages.values()):
        for message in list(channel.values()):
            if message.author_id == backend.bot_user.id:
                answer = ResponseMessage(testbed.front.env, message)
                files, shown = tuple(file.filename for file in answer.attachments), rendered(answer)
                if FULL_PROMPT not in shown.buttons:
                    yield BotMessage(message.id, message.channel_id, shown, files)
