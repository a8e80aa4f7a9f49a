"""Generations: the request, the message that shows it, and whether its outcome has been delivered."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, RowMapping, Select, bindparam, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import Account, Requester
from bot.domain.errors import Ignored, UnreadableRow
from bot.domain.generation import (
    Delivery,
    Destination,
    Generation,
    GenerationRequest,
    InteractionToken,
    Origin,
    PendingCard,
    Reference,
)
from bot.domain.ids import GenerationId, MessageId, PendingCardId, RoleId, TaskId, UserId, first_snowflake
from bot.domain.states import OPEN, TaskState
from bot.store.clauses import UNREADABLE, in_constants
from bot.store.tables import generations, references, tasks, undelivered
from bot.store.tasks import settings_from, task_from, task_values

_ReferenceRow = Row[str, str, str | None, UserId | None]

_CLOCK_SKEW = timedelta(minutes=1)
"""How much later than its pending card a generation's id may claim that it was made earlier."""

_BY_ID = select(generations).where(generations.c.id == bindparam("generation"))
_OF_TASK = select(generations).where(
    generations.c.id == select(tasks.c.generation_id).where(tasks.c.id == bindparam("task")).scalar_subquery()
)
_TASKS = select(tasks).where(tasks.c.generation_id == bindparam("generation")).order_by(tasks.c.position)
_REFERENCES = (
    select(references.c.url, references.c.filename, references.c.digest, references.c.owner_id)
    .where(references.c.generation_id == bindparam("generation"))
    .order_by(references.c.position)
)
_OPEN_COUNT = (
    select(func.count(tasks.c.generation_id.distinct()))
    .join(generations, generations.c.id == tasks.c.generation_id)
    .where(
        in_constants(tasks.c.state, OPEN),
        tasks.c.user_id == bindparam("user"),
        generations.c.delivery == Delivery.NONE,
    )
)
_BUSY = (TaskState.RESERVED, TaskState.SUBMITTING, TaskState.RUNNING)
_UNFINISHED = (
    select(generations.c.id)
    .where(
        generations.c.delivery == Delivery.NONE,
        ~exists().where(tasks.c.generation_id == generations.c.id, in_constants(tasks.c.state, _BUSY)),
    )
    .order_by(generations.c.id)
)
_WITH_LATE_IMAGES = (
    select(tasks.c.generation_id)
    .distinct()
    .join(generations, generations.c.id == tasks.c.generation_id)
    .where(
        tasks.c.state == TaskState.READY,
        generations.c.delivery == Delivery.DONE,
        ~exists().where(undelivered.c.generation_id == generations.c.id),
    )
)
# Ids sort by time, so the primary key limits the search to recent generations.
_SINCE = generations.c.id >= bindparam("since")
_ACCEPTED_BY_TOKEN = select(exists().where(_SINCE, generations.c.interaction_token == bindparam("token")))
_ACCEPTED_BY_MESSAGE = select(exists().where(_SINCE, generations.c.message_id == bindparam("message")))
_HAS_EVENT = select(exists().where(generations.c.event_id == bindparam("event")))
_UPDATE = update(generations).where(generations.c.id == bindparam("generation"))


class GenerationRepository:
    """Generations with their tasks and references."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, generation: Generation) -> None:
        """Insert a generation with its references and tasks.

        Raises Ignored when the interaction or message that asks for it has a generation already.
        """
        try:
            await self._connection.execute(insert(generations), _generation_values(generation))
        except IntegrityError as error:
            if generations.c.event_id.name in str(error.orig):
                raise Ignored from error
            raise
        if generation.request.references:
            await self._connection.execute(
                insert(references),
                [
                    {
                        "generation_id": generation.id,
                        "position": i,
                        "url": reference.url,
                        "filename": reference.filename,
                        "digest": reference.digest,
                        "owner_id": reference.owner,
                    }
                    for i, reference in enumerate(generation.request.references)
                ],
            )
        await self._connection.execute(insert(tasks), [task_values(task) for task in generation.tasks])

    async def has_event(self, event: PendingCardId) -> bool:
        """Whether an interaction or message has a generation."""
        return bool(await self._connection.scalar(_HAS_EVENT, {"event": event}))

    async def get(self, generation_id: GenerationId) -> Generation | None:
        """A generation in its present state, or None; raises UnreadableRow."""
        return await self._load(_BY_ID, {"generation": generation_id})

    async def of_task(self, task_id: TaskId) -> Generation:
        """The generation of a task; raises LookupError when there is none."""
        generation = await self._load(_OF_TASK, {"task": task_id})
        if generation is None:
            raise LookupError(f"no generation has task {task_id}")
        return generation

    async def _load(self, statement: Select[*tuple[Any, ...]], values: Mapping[str, int]) -> Generation | None:
        try:
            row = (await self._connection.execute(statement, values)).mappings().one_or_none()
            if row is None:
                return None
            key = {"generation": row["id"]}
            task_rows = (await self._connection.execute(_TASKS, key)).mappings().all()
        except UNREADABLE as error:
            raise UnreadableRow(str(error)) from error
        reference_rows: Sequence[_ReferenceRow] = ()
        if row["reference_count"]:
            reference_rows = (await self._connection.execute(_REFERENCES, key)).all()
        return _generation(row, task_rows, reference_rows)

    async def open_count(self, user_id: UserId) -> int:
        """The number of this member's generations in progress, over all servers."""
        return await self._connection.scalar(_OPEN_COUNT, {"user": user_id}) or 0

    async def unfinished(self) -> list[GenerationId]:
        """Generations with no task in progress whose outcome has not been delivered, oldest first."""
        return list(await self._connection.scalars(_UNFINISHED))

    async def with_late_images(self) -> list[GenerationId]:
        """Generations that were delivered without an image that is finished now; not those that wait for a command."""
        return list(await self._connection.scalars(_WITH_LATE_IMAGES))

    async def accepted(self, card: PendingCard) -> bool:
        """Whether a pending card has become the card of a generation."""
        token, message_id = card.destination.token, card.destination.message_id
        since = first_snowflake(card.opened_at - _CLOCK_SKEW)
        if token is not None:
            return bool(await self._connection.scalar(_ACCEPTED_BY_TOKEN, {"since": since, "token": token.value}))
        if message_id is not None:
            return bool(await self._connection.scalar(_ACCEPTED_BY_MESSAGE, {"since": since, "message": message_id}))
        return False

    async def set_delivery(self, generation_id: GenerationId, delivery: Delivery) -> None:
        """Record whether the outcome has been delivered."""
        await self._update(generation_id, delivery=delivery)

    async def mark_delivered(self, generation_id: GenerationId, message_id: MessageId | None) -> None:
        """Record that the outcome was delivered; ``message_id`` becomes the generation's card unless it is None."""
        card = {} if message_id is None else {"message_id": message_id}
        await self._update(generation_id, delivery=Delivery.DONE, **card)

    async def set_message(self, generation_id: GenerationId, message_id: MessageId) -> None:
        """Record which message is the generation's card."""
        await self._update(generation_id, message_id=message_id)

    async def set_private(self, generation_id: GenerationId) -> None:
        """Only its requester has seen the result."""
        await self._update(generation_id, private=True)

    async def _update(self, generation_id: GenerationId, **values: object) -> None:
        await self._connection.execute(_UPDATE, {"generation": generation_id, **values})


def _generation_values(generation: Generation) -> dict[str, object]:
    request, destination = generation.request, generation.request.destination
    token, origin = destination.token, request.origin
    return {
        "id": generation.id,
        "user_id": request.account.user_id,
        "guild_id": request.account.guild_id,
        "created_at": generation.created_at,
        "prompt": request.prompt,
        "model": request.settings.model,
        "aspect_ratio": request.settings.aspect_ratio,
        "resolution": request.settings.resolution,
        "steps": request.settings.steps,
        "guidance": request.settings.guidance,
        "reference_count": len(request.references),
        "unit_price": generation.unit_price,
        "channel_id": destination.channel_id,
        # NOT NULL, from a time when every card answered an interaction; without a token these are empty.
        "application_id": token.application_id if token else 0,
        "interaction_token": token.value if token else "",
        "token_expires_at": token.expires_at if token else generation.created_at,
        "message_id": destination.message_id,
        "private": destination.private,
        "upload_limit": destination.upload_limit,
        "delivery": generation.delivery,
        "origin_channel_id": origin.channel_id if origin else None,
        "origin_message_id": origin.message_id if origin else None,
        "origin_image_id": origin.image_id if origin else None,
        "event_id": destination.pending_card,
        "roles": sorted(request.requester.roles),
        "spoiler": request.spoiler,
        "style": request.style,
        "template": request.template,
        "outside_guild_id": destination.outside,
    }


def _generation(
    row: RowMapping, task_rows: Sequence[RowMapping], reference_rows: Sequence[_ReferenceRow]
) -> Generation:
    request = GenerationRequest(
        requester=Requester(
            Account(row["user_id"], row["guild_id"]), frozenset(RoleId(role) for role in row["roles"] or ())
        ),
        prompt=row["prompt"],
        settings=settings_from(row),
        count=len(task_rows),
        references=tuple(Reference(*reference) for reference in reference_rows),
        destination=Destination(
            channel_id=row["channel_id"],
            token=_token(row),
            message_id=row["message_id"],
            private=row["private"],
            upload_limit=row["upload_limit"],
            outside=row["outside_guild_id"],
        ),
        origin=_origin(row),
        spoiler=row["spoiler"],
        style=row["style"],
        template=row["template"],
    )
    return Generation(
        id=row["id"],
        request=request,
        unit_price=row["unit_price"],
        created_at=row["created_at"],
        delivery=row["delivery"],
        tasks=tuple(task_from(task, row) for task in task_rows),
    )


def _token(row: RowMapping) -> InteractionToken | None:
    if not row["interaction_token"]:
        return None
    return InteractionToken(row["application_id"], row["interaction_token"], row["token_expires_at"])


def _origin(row: RowMapping) -> Origin | None:
    if row["origin_message_id"] is None:
        return None
    return Origin(row["origin_channel_id"], row["origin_message_id"], row["origin_image_id"])
