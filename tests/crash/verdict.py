"""The audit: what the database, KIE's bill and Discord's messages say, held against one another."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from simcord import InteractionResult, ResponseMessage

from bot.domain.ids import from_base36
from bot.store.sqlite import integrity_problems
from demo.kie import Fail
from demo.kie import Task as KieTask
from tests.crash.books import ENDED, Books, Generation, Task, read_books
from tests.crash.load import Wish, tag_of
from tests.crash.world import World
from tests.discord_schema import problems_of
from tests.kie.schema import check_all
from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import has_ended

UNKNOWN: Final = "unknown_outcome"
_NEVER_ACCEPTED: Final = "its wish was never accepted, and nobody said so"
_FORGOTTEN: Final = "its callback came before a new bot had looked at the database, and was forgotten"
_MET_A_BOT: Final = "its callback met a bot, which did not take it"
_AT_WORK: Final = ('"recovered"', '"generation accepted"', '"task submitted"')
_MARGIN: Final = 0.5
"""Seconds around a kill in which a callback may have met either process, or none."""


@dataclass
class Verdict:
    """What is wrong, and what is merely to be explained: counts by their reasons."""

    wrong: list[str] = field(default_factory=list[str])
    wishes: Counter[str] = field(default_factory=Counter[str])
    tasks: Counter[str] = field(default_factory=Counter[str])
    bill: dict[str, Decimal] = field(default_factory=lambda: defaultdict[str, Decimal](Decimal))
    billed: Decimal = Decimal(0)
    ambiguous: Counter[str] = field(default_factory=Counter[str])
    waiting_cards: Counter[str] = field(default_factory=Counter[str])

    def check(self, holds: bool, complaint: str) -> None:
        """Note a complaint unless it holds."""
        if not holds:
            self.wrong.append(complaint)


@dataclass(frozen=True, slots=True)
class Shown:
    """A message of the bot's."""

    id: int
    channel_id: int
    looks: Rendered
    files: tuple[str, ...]

    @property
    def tag(self) -> str | None:
        """The wish that it is a card of."""
        return tag_of(self.looks)


def judge(world: World, wishes: Sequence[Wish]) -> Verdict:
    """Look at everything, after the last process has ended."""
    verdict = Verdict()
    books = read_books(world.database)
    messages = list(_messages(world))
    verdict.wrong += integrity_problems(world.database)
    _judge_endings(verdict, books)
    _judge_bill(verdict, world, books)
    _judge_posts(verdict, books, messages)
    _judge_cards(verdict, world, wishes, books, messages)
    _count_wishes(verdict, wishes, books)
    check_all(world.kie)
    verdict.wrong += {
        problem for call in world.front.requests for problem in problems_of(call.method, call.path, call.body)
    }
    return verdict


def _judge_endings(verdict: Verdict, books: Books) -> None:
    """Every accepted generation has ended once, and its money moved once."""
    for generation in books.generations:
        verdict.check(generation.delivery == "done", f"generation {generation.id} was never told: {generation}")
        for task in generation.tasks:
            verdict.tasks[
                f"{task.state}{f': {task.failure}' if task.failure else ''}{', free' if task.free else ''}"
            ] += 1
            verdict.check(task.state in ENDED, f"a task has not ended: {task}")
            verdict.check(task.movements.count("reserve") == 1, f"a task was not reserved once: {task}")
            paid = task.state == "delivered" and not task.free
            right = {"settle"} if paid else {"refund", "goodwill"}
            verdict.check(task.ending in right, f"a task's money did not end once, as it should: {task}")


def _judge_bill(verdict: Verdict, world: World, books: Books) -> None:
    """Every task that KIE has belongs to one of ours, and every credit of the bill to one of the terms."""
    known = {task.kie_task_id: task for task in books.tasks if task.kie_task_id is not None}
    tags = {task.id: generation.tag for generation in books.generations for task in generation.tasks}
    lost: dict[str, list[KieTask]] = defaultdict(list)
    for kie_task in world.kie.tasks.values():
        tag = kie_task.order.prompt.split()[0]
        task = known.pop(kie_task.id, None)
        if task is None:
            lost[tag].append(kie_task)
            continue
        verdict.check(tags[task.id] == tag, f"KIE's task {kie_task.id} is noted at another's wish: {task}")
        verdict.check(task.price == kie_task.order.price, f"a task was reserved at another price: {task}")
        if _is_billed(kie_task):
            verdict.bill[_term(task)] += kie_task.order.price
        else:
            unpaid = task.state == "failed"
            verdict.check(unpaid, f"KIE made nothing of a task that has not failed: {task}")
    verdict.check(not known, f"tasks that KIE does not know: {known}")
    _judge_ambiguous(verdict, world, books, lost)
    verdict.billed = world.kie.billed
    explained = sum(verdict.bill.values(), Decimal(0))
    verdict.check(explained == verdict.billed, f"KIE bills {verdict.billed}, of which {explained} are explained")
    settled = sum((task.price for task in books.tasks if task.ending == "settle"), Decimal(0))
    verdict.check(settled == verdict.bill["settled"], f"{settled} settled, {verdict.bill['settled']} of it billed")


def _judge_ambiguous(verdict: Verdict, world: World, books: Books, lost: dict[str, list[KieTask]]) -> None:
    """KIE's tasks that no row knows belong to ours whose outcome nobody knew, each to one: nothing was sent twice."""
    forgotten = _forgotten(world.printed)
    unknown: dict[str, list[Task]] = defaultdict(list)
    for generation in books.generations:
        unknown[generation.tag] += [task for task in generation.tasks if task.failure == UNKNOWN]
    for tag, kie_tasks in lost.items():
        complaint = (
            f"{tag}: KIE has {len(kie_tasks)} tasks that are not noted, {len(unknown[tag])} of ours are in doubt"
        )
        verdict.check(len(kie_tasks) <= len(unknown[tag]), complaint)
        for kie_task in kie_tasks:
            if not _is_billed(kie_task):
                verdict.ambiguous["KIE took it and failed"] += 1
                continue
            verdict.ambiguous["KIE made it, nobody got it"] += 1
            verdict.bill["orphans"] += kie_task.order.price
            if world.callbacks:
                why = _why_not_found(world, kie_task, forgotten)
                verdict.ambiguous[f"… {why}"] += 1
                bad = why in {_MET_A_BOT, _FORGOTTEN}
                verdict.check(not bad, f"{tag}: an orphan, since {why}: {kie_task.order.callback_url}")
    never = sum(map(len, unknown.values())) - sum(map(len, lost.values()))
    if never:
        verdict.ambiguous["KIE never got it"] += never


def _why_not_found(world: World, task: KieTask, forgotten: dict[int, str]) -> str:
    """Why KIE's callback did not tell the id of a task that was being submitted when a process died."""
    ours = from_base36((task.order.callback_url or "").rpartition("/")[2])
    if ours in forgotten:
        return forgotten[ours]
    ended = task.created + task.duration
    if any(start - _MARGIN <= ended <= end + _MARGIN for start, end in world.down):
        return "its callback met no bot"
    return _MET_A_BOT if task.duration < world.deadline - 1 else "its callback came too late"


def _forgotten(printed: Iterable[str]) -> dict[int, str]:
    """Our tasks whose callback was taken by a process that knew nothing of them, and why."""
    found: dict[int, str] = {}
    for process in printed:
        why = _FORGOTTEN
        for line in process.splitlines():
            if any(event in line for event in _AT_WORK):
                why = "its callback met the bot that was asking, which then died"
            elif "a callback for a task that is not followed" in line and line.endswith("}"):
                found[json.loads(line)["task"]] = why
    return found


def _is_billed(task: KieTask) -> bool:
    return task.ended and not isinstance(task.outcome, Fail)


def _term(task: Task) -> str:
    if task.state == "delivered":
        return "late, for free" if task.free else "settled"
    if task.ending == "goodwill":
        return f"goodwill: {task.failure}"
    return f"{'late, for free, ' if task.free else ''}{task.state}: {task.failure}"


def _judge_posts(verdict: Verdict, books: Books, messages: Sequence[Shown]) -> None:
    """A generation has one message, and its late images have one each; every image stands in one message."""
    places: dict[str, list[Shown]] = defaultdict(list)
    cards: dict[str, list[Shown]] = defaultdict(list)
    for message in messages:
        if message.tag is not None:
            cards[message.tag].append(message)
        for name in message.files:
            places[name.removeprefix("easel-").partition(".")[0]].append(message)
    proper: dict[str, set[int]] = defaultdict(set)
    for generation in books.generations:
        if generation.message_id is not None:
            proper[generation.tag].add(generation.message_id)
        for task in generation.tasks:
            stands = [message.id for message in places[str(task.id)]]
            noted = books.posted.get(task.id)
            if task.state == "delivered":
                verdict.check(stands == [noted], f"an image stands in {stands}, noted is {noted}: {task}")
                proper[generation.tag].add(noted or 0)
            else:
                verdict.check(not stands and noted is None, f"an image that was not delivered is seen: {task} {stands}")
    for tag, shown in cards.items():
        for message in shown:
            # A card that nobody can edit any more is looked at with those that go on waiting.
            one_too_many = message.id not in proper[tag] and has_ended(message.looks)
            verdict.check(not one_too_many, f"{tag}: one post too many, {message}, of {proper[tag]}")


def _judge_cards(
    verdict: Verdict,
    world: World,
    wishes: Sequence[Wish],
    books: Books,
    messages: Sequence[Shown],
) -> None:
    """No card goes on waiting, but for what nobody can edit and what was never accepted."""
    by_id = {message.id: message for message in messages}
    for generation in books.generations:
        card = by_id.get(generation.message_id or 0)
        gone = card is None and any(task.failure == "undeliverable" for task in generation.tasks)
        verdict.check(gone or card is not None, f"{generation.tag}: the card is gone, {generation}")
        if card is not None and has_ended(card.looks):
            delivered = sum(books.posted.get(task.id) == card.id for task in generation.tasks)
            verdict.check(delivered == len(card.looks.images), f"{generation.tag}: {delivered} images, on {card}")
    refused = {message.id for wish in wishes if wish.token_refused for message in _answer(wish)}
    accepted = {generation.message_id: generation for generation in books.generations}
    tags = {generation.tag for generation in books.generations}
    for message in messages:
        if has_ended(message.looks):
            continue
        why = _why_waiting(message, refused, accepted, tags)
        verdict.waiting_cards[why] += 1
        bad = why.startswith("WRONG") or why == _NEVER_ACCEPTED
        verdict.check(not bad, f"a card goes on waiting: {why}: {message}")


def _why_waiting(message: Shown, refused: set[int], accepted: dict[int | None, Generation], tags: set[str]) -> str:
    if message.id in refused and message.looks.ephemeral:
        return "its token is refused and it is private: nobody can edit it"
    if message.id in accepted or message.tag in tags:
        return "WRONG: its wish was accepted"
    if message.id in refused:
        return "its token is refused and its wish was never accepted"
    return _NEVER_ACCEPTED


def _count_wishes(verdict: Verdict, wishes: Sequence[Wish], books: Books) -> None:
    """Where every wish went."""
    accepted = Counter(generation.tag for generation in books.generations)
    for wish in wishes:
        verdict.wishes["all"] += 1
        acknowledged = not isinstance(wish.asked, InteractionResult) or wish.asked.acknowledged
        verdict.wishes["acknowledged" if acknowledged else "not acknowledged: Discord says that no answer came"] += 1
    verdict.wishes["accepted"] = accepted.total()
    verdict.wishes["posted"] = len(set(books.posted.values()))


def _answer(wish: Wish) -> list[ResponseMessage]:
    if not isinstance(wish.asked, InteractionResult) or wish.asked.response is None:
        return []
    return [wish.asked.response]


def _messages(world: World) -> Iterable[Shown]:
    """What the bot has posted and what still stands, everywhere."""
    backend = world.front.env.backend
    for channel in list(backend.messages.values()):
        for message in list(channel.values()):
            if message.author_id == backend.bot_user.id:
                answer = ResponseMessage(world.front.env, message)
                files = tuple(file.filename for file in answer.attachments)
                yield Shown(message.id, message.channel_id, rendered(answer), files)
