"""Generations: what was asked for, where it is shown, and how far its outcome has been told."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Row, RowMapping, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import Account, Asker
from bot.domain.generation import (
    Delivery,
    Destination,
    Generation,
    InteractionToken,
    Opening,
    Origin,
    Reference,
    Request,
)
from bot.domain.ids import GenerationId, MessageId, RoleId, TaskId, UserId, first_id
from bot.domain.states import OPEN, TaskState
from bot.store.tables import generations, references, tasks
from bot.store.tasks import settings_from, task_from, task_values

_CLOCKS_DIFFER = timedelta(minutes=1)


class Generations:
    """The generations, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, generation: Generation) -> None:
        """Insert a generation with its references and tasks."""
        await self._connection.execute(insert(generations), _generation_values(generation))
        if generation.request.references:
            await self._connection.execute(
                insert(references),
                [
                    {
                        "generation_id": generation.id,
                        "position": i,
                        "url": one.url,
                        "filename": one.filename,
                        "digest": one.digest,
                    }
                    for i, one in enumerate(generation.request.references)
                ],
            )
        await self._connection.execute(insert(tasks), [task_values(task) for task in generation.tasks])

    async def get(self, generation_id: GenerationId) -> Generation | None:
        """A generation as it stands, or None."""
        found = await self._connection.execute(select(generations).where(generations.c.id == generation_id))
        row = found.mappings().one_or_none()
        if row is None:
            return None
        task_rows = await self._connection.execute(
            select(tasks).where(tasks.c.generation_id == generation_id).order_by(tasks.c.position)
        )
        reference_rows: Sequence[Row[str, str, str | None]] = ()
        if row["reference_count"]:
            found = await self._connection.execute(
                select(references.c.url, references.c.filename, references.c.digest)
                .where(references.c.generation_id == generation_id)
                .order_by(references.c.position)
            )
            reference_rows = found.all()
        return _generation(row, task_rows.mappings().all(), reference_rows)

    async def of_task(self, task_id: TaskId) -> Generation:
        """The generation of a task, which must exist."""
        generation_id = await self._connection.scalar(select(tasks.c.generation_id).where(tasks.c.id == task_id))
        generation = None if generation_id is None else await self.get(generation_id)
        if generation is None:
            raise LookupError(f"no generation has task {task_id}")
        return generation

    async def open_count(self, user_id: UserId) -> int:
        """How many generations of this member are still being waited for, over all servers."""
        count = await self._connection.scalar(
            select(func.count(tasks.c.generation_id.distinct())).where(
                tasks.c.state.in_(OPEN), tasks.c.user_id == user_id
            )
        )
        return count or 0

    async def unfinished(self) -> list[GenerationId]:
        """Generations on which no task is being worked any more, but whose outcome has not been told."""
        busy = (TaskState.RESERVED, TaskState.SUBMITTING, TaskState.RUNNING)
        rows = await self._connection.scalars(
            select(generations.c.id)
            .where(
                generations.c.delivery == Delivery.NONE,
                ~exists().where(tasks.c.generation_id == generations.c.id, tasks.c.state.in_(busy)),
            )
            .order_by(generations.c.id)
        )
        return list(rows)

    async def with_late_images(self) -> list[GenerationId]:
        """Generations that were told already, and have since got an image after all."""
        rows = await self._connection.scalars(
            select(tasks.c.generation_id)
            .distinct()
            .join(generations, generations.c.id == tasks.c.generation_id)
            .where(tasks.c.state == TaskState.READY, generations.c.delivery == Delivery.DONE)
        )
        return list(rows)

    async def accepted(self, opening: Opening) -> bool:
        """Whether an opened card has become a generation's."""
        token, card, c = opening.destination.token, opening.destination.message_id, generations.c
        if token is None and card is None:
            return False
        its_card = c.interaction_token == token.value if token is not None else c.message_id == card
        # Ids sort by time: only what was made since is looked at.
        since = first_id(opening.opened_at - _CLOCKS_DIFFER)
        return bool(await self._connection.scalar(select(exists().where(c.id >= since, its_card))))

    async def set_delivery(self, generation_id: GenerationId, delivery: Delivery) -> None:
        """Record how far the outcome has been told."""
        await self._connection.execute(
            update(generations).where(generations.c.id == generation_id).values(delivery=delivery)
        )

    async def told(self, generation_id: GenerationId, message_id: MessageId | None) -> None:
        """The outcome stands in a message, which becomes the card unless it is None."""
        card = {} if message_id is None else {"message_id": message_id}
        await self._connection.execute(
            update(generations).where(generations.c.id == generation_id).values(delivery=Delivery.DONE, **card)
        )

    async def set_message(self, generation_id: GenerationId, message_id: MessageId) -> None:
        """Record which message is the card."""
        await self._connection.execute(
            update(generations).where(generations.c.id == generation_id).values(message_id=message_id)
        )


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
        # Without a token its columns are empty; they were made when every card answered an interaction.
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
        "roles": sorted(request.asker.roles),
    }


def _generation(
    row: RowMapping, task_rows: Sequence[RowMapping], reference_rows: Sequence[Row[str, str, str | None]]
) -> Generation:
    request = Request(
        asker=Asker(Account(row["user_id"], row["guild_id"]), frozenset(RoleId(role) for role in row["roles"] or ())),
        prompt=row["prompt"],
        settings=settings_from(row),
        count=len(task_rows),
        references=tuple(Reference(*one) for one in reference_rows),
        destination=Destination(
            channel_id=row["channel_id"],
            token=_token(row),
            message_id=row["message_id"],
            private=row["private"],
            upload_limit=row["upload_limit"],
        ),
        origin=_origin(row),
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
