"""Ordinary objects of the domain, with whatever a test cares about changed by name."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count as counting
from typing import Any

from bot.domain.credits import KIE_PRICES, Account, Allowance, Period, Requester
from bot.domain.generation import Delivery, Destination, Generation, GenerationRequest, InteractionToken, Task
from bot.domain.ids import ChannelId, GenerationId, GuildId, TaskId, UserId
from bot.domain.settings import Settings, TaskClass
from bot.domain.states import TaskState
from bot.quota.policy import QuotaLimits

NOW = datetime(2025, 10, 9, 12, 30, tzinfo=UTC)
ALICE = Account(UserId(101), GuildId(900))
BOB = Account(UserId(102), GuildId(900))
MEBIBYTE = 1 << 20

_numbers = counting(1_000)


def limits_of(allowance: Allowance) -> QuotaLimits:
    """The operator's limits when every member has this allowance and nothing else holds."""
    unlimited = Allowance(None, Period.DAY)
    return QuotaLimits(members=allowance, direct=allowance, budget=unlimited, servers=unlimited)


def make_destination(**overrides: Any) -> Destination:
    """A public channel, with an interaction token that lives for a quarter of an hour more."""
    usual = Destination(
        channel_id=ChannelId(501),
        token=InteractionToken(601, "a-token-of-an-interaction", NOW + timedelta(minutes=15)),
        message_id=None,
        private=False,
        upload_limit=10 * MEBIBYTE,
    )
    return replace(usual, **overrides)


def make_request(**overrides: Any) -> GenerationRequest:
    """Alice's wish for one picture, without references, at 5 credits; ``account`` names another who asks."""
    if "account" in overrides:
        overrides["requester"] = Requester(overrides.pop("account"))
    usual = GenerationRequest(Requester(ALICE), "a lighthouse in a storm", Settings(), 1, (), make_destination())
    return replace(usual, **overrides)


def make_task(**overrides: Any) -> Task:
    """A reserved task of Alice's, with an id of its own that is higher than any made before."""
    settings = Settings()
    usual = Task(
        id=TaskId(next(_numbers)),
        generation_id=GenerationId(1),
        user_id=ALICE.user_id,
        position=0,
        state=TaskState.RESERVED,
        task_class=TaskClass(settings.model, settings.resolution, has_references=False),
        created_at=NOW,
    )
    return replace(usual, **overrides)


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
