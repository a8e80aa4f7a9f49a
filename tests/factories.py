"""Default domain objects; a test overrides the fields it is about."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count as counting
from typing import Any

from bot.domain.credits import KIE_PRICES, Account, Allowance, Period, Requester
from bot.domain.generation import Delivery, Destination, Generation, GenerationRequest, InteractionToken, Task
from bot.domain.ids import ChannelId, GenerationId, GuildId, TaskId, UserId
from bot.domain.ports import TaskInput
from bot.domain.settings import Settings, TaskClass
from bot.domain.states import TaskState
from bot.quota.policy import QuotaLimits

NOW = datetime(2025, 10, 9, 12, 30, tzinfo=UTC)
ALICE = Account(UserId(101), GuildId(900))
BOB = Account(UserId(102), GuildId(900))
MEBIBYTE = 1 << 20

_numbers = counting(1_000)


def limits_of(allowance: Allowance) -> QuotaLimits:
    """Limits that give every member this allowance and set nothing else."""
    unlimited = Allowance(None, Period.DAY)
    return QuotaLimits(members=allowance, direct=allowance, budget=unlimited, servers=unlimited)


def make_destination(**overrides: Any) -> Destination:
    """A public channel, with an interaction token that expires in 15 minutes."""
    default = Destination(
        channel_id=ChannelId(501),
        token=InteractionToken(601, "a-token-of-an-interaction", NOW + timedelta(minutes=15)),
        message_id=None,
        private=False,
        upload_limit=10 * MEBIBYTE,
    )
    return replace(default, **overrides)


def make_request(**overrides: Any) -> GenerationRequest:
    """Alice's request for one image, without references, for 5 credits; ``account`` sets another requester."""
    if "account" in overrides:
        overrides["requester"] = Requester(overrides.pop("account"))
    default = GenerationRequest(Requester(ALICE), "a lighthouse in a storm", Settings(), 1, (), make_destination())
    return replace(default, **overrides)


def make_task_input(
    prompt: str = "a lighthouse in a storm",
    *,
    task_id: int = 987654321,
    reference_urls: tuple[str, ...] = (),
    **settings: Any,
) -> TaskInput:
    """What the submitter sends to KIE for one task."""
    return TaskInput(TaskId(task_id), prompt, Settings(**settings), reference_urls)


def make_task(**overrides: Any) -> Task:
    """A reserved task of Alice's; every id is higher than the previous one."""
    settings = Settings()
    default = Task(
        id=TaskId(next(_numbers)),
        generation_id=GenerationId(1),
        user_id=ALICE.user_id,
        position=0,
        state=TaskState.RESERVED,
        task_class=TaskClass(settings.model, settings.resolution, has_references=False),
        created_at=NOW,
    )
    return replace(default, **overrides)


def make_generation(
    *, states: Sequence[TaskState] = (TaskState.RESERVED,), request: GenerationRequest | None = None, **overrides: Any
) -> Generation:
    """A generation with one task for each state; price, task class and owner follow from the request."""
    request = replace(request or make_request(), count=len(states))
    settings = request.settings
    generation_id = overrides.pop("id", GenerationId(next(_numbers)))
    created_at = overrides.pop("created_at", NOW)
    tasks = tuple(
        make_task(
            generation_id=generation_id,
            user_id=request.account.user_id,
            position=position,
            state=state,
            task_class=TaskClass(settings.model, settings.resolution, bool(request.references)),
            created_at=created_at,
        )
        for position, state in enumerate(states)
    )
    price = KIE_PRICES[settings.model, settings.resolution]
    return replace(Generation(generation_id, request, price, created_at, Delivery.NONE, tasks), **overrides)
