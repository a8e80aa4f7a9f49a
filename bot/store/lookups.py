"""Small tables that are looked up by one key: key-values, uploads, drafts, undelivered generations and greetings."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import RowMapping, bindparam, delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.generation import Chosen, Draft, Origin, Reference, Source, SubmittedForm
from bot.domain.ids import ChannelId, DraftId, GenerationId, GuildId, MessageId, UserId
from bot.store.draft_table import drafts
from bot.store.tables import greetings, key_values, undelivered, uploads

_FORM: Final[TypeAdapter[SubmittedForm]] = TypeAdapter(SubmittedForm)
_VALUE = select(key_values.c.value).where(key_values.c.key == bindparam("name"))
_DELETE_VALUE = delete(key_values).where(key_values.c.key == bindparam("name"))
_UPLOAD_URL = select(uploads.c.url).where(
    uploads.c.digest == bindparam("of_digest"), uploads.c.uploaded_at.between(bindparam("since"), bindparam("until"))
)
_DELETE_UPLOAD = delete(uploads).where(uploads.c.digest == bindparam("of_digest"))
_UNDELIVERED_OF = (
    select(undelivered.c.generation_id)
    .where(undelivered.c.user_id == bindparam("user"))
    .order_by(undelivered.c.generation_id)
)
_CHOSEN: Final = TypeAdapter[Chosen | None](Chosen | None)
_IS_UNDELIVERED = select(exists().where(undelivered.c.generation_id == bindparam("generation")))


class KeyValueRepository:
    """What the bot remembers about itself between processes, by name."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, key: str) -> str | None:
        """The value stored under this key, or None."""
        return await self._connection.scalar(_VALUE, {"name": key})

    async def put(self, key: str, value: str) -> None:
        """Store a value, replacing an earlier one; keys have at most 64 characters."""
        await self._connection.execute(_DELETE_VALUE, {"name": key})
        await self._connection.execute(insert(key_values), {"key": key, "value": value})


class UploadRepository:
    """Which files KIE's file service already has, by the SHA-256 of their bytes (in hex)."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, digest: str, since: datetime, until: datetime) -> str | None:
        """The URL of a file that was uploaded within this time (a later one is of a clock that was ahead), or None."""
        return await self._connection.scalar(_UPLOAD_URL, {"of_digest": digest, "since": since, "until": until})

    async def remember(self, digest: str, url: str, at: datetime) -> None:
        """Store an upload, replacing one of the same file."""
        await self._connection.execute(_DELETE_UPLOAD, {"of_digest": digest})
        await self._connection.execute(insert(uploads), {"digest": digest, "url": url, "uploaded_at": at})


class DraftRepository:
    """Edit forms that members have opened and not sent yet, and questions that they have not answered."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, draft: Draft) -> None:
        """Store a draft."""
        await self._connection.execute(
            insert(drafts).values(
                id=draft.id,
                user_id=draft.user_id,
                created_at=draft.created_at,
                channel_id=draft.origin.channel_id,
                message_id=draft.origin.message_id,
                sources=[asdict(source) for source in draft.sources],
                prompt=draft.prompt,
                question_id=draft.question,
                chosen=_CHOSEN.dump_python(draft.chosen, mode="json"),
                form=_stored(draft.form),
                charge_id=draft.charge,
            )
        )

    async def get(self, draft_id: DraftId) -> Draft | None:
        """A draft, or None when it has been deleted."""
        result = await self._connection.execute(select(drafts).where(drafts.c.id == draft_id))
        row = result.mappings().one_or_none()
        return None if row is None else _draft(row)

    async def set_prompt(self, draft_id: DraftId, prompt: str) -> None:
        """Change what a question is about."""
        await self._connection.execute(update(drafts).where(drafts.c.id == draft_id).values(prompt=prompt))

    async def set_form(self, draft_id: DraftId, form: SubmittedForm) -> None:
        """Change what a member chooses from."""
        await self._connection.execute(update(drafts).where(drafts.c.id == draft_id).values(form=_stored(form)))

    async def clear_charge(self, draft_id: DraftId) -> int | None:
        """The row of the ledger that paid for what its member has not seen, which is forgotten by this."""
        of_draft = drafts.c.id == draft_id
        charge = await self._connection.scalar(select(drafts.c.charge_id).where(of_draft))
        if charge is not None:
            await self._connection.execute(update(drafts).where(of_draft).values(charge_id=None))
        return charge

    async def unseen(self, before: datetime) -> list[DraftId]:
        """Drafts from before this time whose members have paid for what they have not seen."""
        c = drafts.c
        return list(await self._connection.scalars(select(c.id).where(c.charge_id.is_not(None), c.created_at < before)))

    async def remove(self, draft_id: DraftId) -> bool:
        """Delete a draft; False when there was none."""
        result = await self._connection.execute(delete(drafts).where(drafts.c.id == draft_id))
        return result.rowcount > 0

    async def questions(self) -> list[Draft]:
        """The questions that have not been answered or withdrawn."""
        result = await self._connection.execute(select(drafts).where(drafts.c.question_id.is_not(None)))
        return [_draft(row) for row in result.mappings()]

    async def remove_questions(self, user: UserId, channel: ChannelId) -> list[MessageId]:
        """Delete a member's questions in a channel, and return the messages that show them."""
        theirs = delete(drafts).where(
            drafts.c.user_id == user, drafts.c.channel_id == channel, drafts.c.question_id.is_not(None)
        )
        messages = await self._connection.scalars(theirs.returning(drafts.c.question_id))
        return [message for message in messages if message is not None]


def _draft(row: RowMapping) -> Draft:
    return Draft(
        id=row["id"],
        user_id=row["user_id"],
        created_at=row["created_at"],
        origin=Origin(row["channel_id"], row["message_id"]),
        sources=tuple(_image(source) for source in row["sources"]),
        prompt=row["prompt"],
        question=row["question_id"],
        chosen=_CHOSEN.validate_python(row["chosen"]),
        form=None if row["form"] is None else _FORM.validate_python(row["form"]),
        charge=row["charge_id"],
    )


def _image(stored: dict[str, Any]) -> Source | Reference:
    return Reference(**stored) if "digest" in stored else Source(**stored)


def _stored(form: SubmittedForm | None) -> dict[str, Any] | None:
    return None if form is None else _FORM.dump_python(form, mode="json")


class UndeliveredRepository:
    """Generations whose outcome could not be posted anywhere; they wait for their member's next command."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, generation: GenerationId, user: UserId, since: datetime) -> None:
        """Add a generation; harmless to repeat."""
        await self.remove(generation)
        await self._connection.execute(insert(undelivered).values(generation_id=generation, user_id=user, since=since))

    async def all(self, *, before: datetime | None = None) -> list[tuple[UserId, GenerationId]]:
        """Every undelivered generation, or those added before a time, with its member, oldest first."""
        c = undelivered.c
        query = select(c.user_id, c.generation_id).order_by(c.generation_id)
        rows = await self._connection.execute(query if before is None else query.where(c.since < before))
        return [(user, generation) for user, generation in rows]

    async def of_member(self, user: UserId) -> list[GenerationId]:
        """A member's undelivered generations, oldest first."""
        return list(await self._connection.scalars(_UNDELIVERED_OF, {"user": user}))

    async def contains(self, generation: GenerationId) -> bool:
        """Whether a generation waits for its member's next command."""
        return bool(await self._connection.scalar(_IS_UNDELIVERED, {"generation": generation}))

    async def remove(self, generation: GenerationId) -> None:
        """Remove a generation that has been shown to its member."""
        await self._connection.execute(delete(undelivered).where(undelivered.c.generation_id == generation))


class GreetingRepository:
    """Which servers were greeted."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def joined_at(self, guild: GuildId) -> datetime | None:
        """When the bot had joined the server that was greeted; None for one that never was."""
        return await self._connection.scalar(select(greetings.c.joined_at).where(greetings.c.guild_id == guild))

    async def put(self, guild: GuildId, joined_at: datetime) -> None:
        """Store a greeting, replacing an earlier one."""
        await self._connection.execute(delete(greetings).where(greetings.c.guild_id == guild))
        await self._connection.execute(insert(greetings).values(guild_id=guild, joined_at=joined_at))
