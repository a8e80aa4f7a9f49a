"""Erasing members and servers: what was asked for, and the statements that do it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import ZERO, Account, Credits
from bot.domain.erasure import ERASED_MEMBER, Erasure, ErasureKind, ids_needed_until
from bot.domain.generation import Delivery
from bot.domain.ids import GenerationId, UserId
from bot.domain.states import OPEN, TaskState
from bot.store.clauses import in_constants
from bot.store.draft_table import drafts
from bot.store.ledger import LedgerRepository
from bot.store.quota_tables import credit_requests, ledger, ledger_totals, rules, servers
from bot.store.report_tables import image_reporters, image_reports
from bot.store.style_tables import set_images
from bot.store.tables import (
    erasures,
    favourites,
    generations,
    greetings,
    images,
    preferences,
    references,
    tasks,
    undelivered,
    uploads,
)
from bot.store.types import Total
from bot.store.unnaming import unname_account, unname_actors, unname_requests

_E, _G, _I, _L, _R = erasures.c, generations.c, image_reports.c, ledger.c, references.c
_NOBODY = (UserId(0), ERASED_MEMBER)
_HAS_WORDS = _G.channel_id != 0
_HAS_ENDED = and_(
    _G.delivery == Delivery.DONE,
    ~exists().where(tasks.c.generation_id == _G.id, in_constants(tasks.c.state, (*OPEN, TaskState.OVERDUE))),
    ~exists().where(undelivered.c.generation_id == _G.id),
)
_BLANK: dict[str, Any] = {
    "prompt": "",
    "style": None,
    "template": None,
    "channel_id": 0,
    "application_id": 0,
    "interaction_token": "",
    "message_id": None,
    "origin_channel_id": None,
    "origin_message_id": None,
    "origin_image_id": None,
    "roles": None,
    "event_id": None,
    "outside_guild_id": None,
}


class ErasureRepository:
    """A request that was erased keeps its row, for its price, model, outcome and time: its channel is 0."""

    def __init__(self, connection: AsyncConnection, ledger_rows: LedgerRepository) -> None:
        self._connection = connection
        self._ledger = ledger_rows

    async def request(self, kind: ErasureKind, subject: int, at: datetime) -> None:
        """Ask for an erasure; one that goes on already stays."""
        ended = (_E.kind == kind, _E.subject == subject, _E.erased_at.is_not(None))
        await self._connection.execute(delete(erasures).where(*ended))
        if await self.find(kind, subject) is None:
            values = {"kind": kind, "subject": subject, "asked_at": at, "through": 0}
            await self._connection.execute(insert(erasures).values(values))

    async def find(self, kind: ErasureKind, subject: int) -> Erasure | None:
        """An erasure that goes on, or whose id is still needed."""
        found = select(erasures).where(_E.kind == kind, _E.subject == subject)
        row = (await self._connection.execute(found)).mappings().one_or_none()
        return None if row is None else _erasure(row)

    async def pending(self) -> list[Erasure]:
        """Those that go on, oldest first."""
        return await self._select(_E.erased_at.is_(None))

    async def due(self, now: datetime) -> list[Erasure]:
        """Those whose ids are no longer needed."""
        return await self._select(_E.unname_at <= now)

    async def _select(self, condition: ColumnElement[bool]) -> list[Erasure]:
        rows = await self._connection.execute(select(erasures).where(condition).order_by(_E.asked_at))
        return [_erasure(row) for row in rows.mappings()]

    async def blocks(self, account: Account) -> bool:
        """Whether the data of this member, or of their server, is being erased."""
        subjects = or_(
            and_(_E.kind == ErasureKind.USER, _E.subject == account.user_id),
            and_(_E.kind == ErasureKind.SERVER, _E.subject == account.guild_id),
        )
        found = select(_E.subject).where(subjects, _E.erased_at.is_(None)).limit(1)
        return await self._connection.scalar(found) is not None

    async def counts(self, user: UserId) -> tuple[int, int]:
        """A member's requests that have their words, and those that can be cancelled."""
        of_member = select(func.count()).where(_G.user_id == user)
        waiting = exists().where(tasks.c.generation_id == _G.id, tasks.c.state == TaskState.RESERVED)
        stored = await self._connection.scalar(of_member.where(_HAS_WORDS))
        return stored or 0, await self._connection.scalar(of_member.where(waiting)) or 0

    async def bonuses(self, erasure: Erasure) -> dict[Account, Credits]:
        """The accounts that have bonus credits left."""
        t, kind = ledger_totals.c, erasure.kind
        whose = t.user_id == erasure.subject if kind is ErasureKind.USER else t.guild_id == erasure.subject
        left = select(t.user_id, t.guild_id, t.credits).where(t.total == Total.BONUS, t.credits > ZERO, whose)
        rows = await self._connection.execute(left.where(t.user_id.not_in(_NOBODY)))
        return {Account(user, guild): amount for user, guild, amount in rows}

    async def cancellable(self, erasure: Erasure) -> list[tuple[GenerationId, UserId]]:
        """Requests with a task that KIE has not been asked for, and whose they are."""
        statement = select(_G.id, _G.user_id).distinct().join(tasks, tasks.c.generation_id == _G.id)
        rows = await self._connection.execute(statement.where(_of(erasure), tasks.c.state == TaskState.RESERVED))
        return [(generation, user) for generation, user in rows]

    async def undelivered(self, erasure: Erasure) -> list[GenerationId]:
        """Requests whose result waits for the member's next command."""
        statement = select(_G.id).join(undelivered, undelivered.c.generation_id == _G.id)
        return list(await self._connection.scalars(statement.where(_of(erasure))))

    async def ended(self, erasure: Erasure, after: int, limit: int) -> list[GenerationId]:
        """Requests that have ended and still have their words, with ids above ``after``, in the order of their ids."""
        statement = select(_G.id).where(_of(erasure), _HAS_WORDS, _HAS_ENDED, _G.id > after).order_by(_G.id)
        return list(await self._connection.scalars(statement.limit(limit)))

    async def is_open(self, erasure: Erasure) -> bool:
        """Whether a request still has its words, since it has not ended."""
        return bool(await self._connection.scalar(select(exists().where(_of(erasure), _HAS_WORDS))))

    async def digests(self, ids: Sequence[GenerationId]) -> list[str]:
        """Of the members' images that only these requests used, and that are in no reference set."""
        others = references.alias()
        shared = or_(
            exists().where(others.c.digest == _R.digest, others.c.generation_id.not_in(ids)),
            exists().where(set_images.c.digest == _R.digest),
        )
        of_these = select(_R.digest).distinct().where(_R.generation_id.in_(ids), _R.digest.is_not(None), ~shared)
        return [digest for digest in await self._connection.scalars(of_these) if digest]

    async def blank(self, ids: Sequence[GenerationId], digests: Collection[str]) -> None:
        """Remove the words, places and images of requests that have ended, and the uploads of their references."""
        run = self._connection.execute
        posted = select(images.c.id).where(images.c.generation_id.in_(ids))
        await run(update(images).where(images.c.parent_id.in_(posted)).values(parent_id=None))
        await run(delete(images).where(images.c.generation_id.in_(ids)))
        await run(delete(references).where(_R.generation_id.in_(ids)))
        await run(delete(uploads).where(uploads.c.digest.in_(digests)))
        await run(update(tasks).where(tasks.c.generation_id.in_(ids)).values(result_url=None, kie_task_id=None))
        await run(update(generations).where(_G.id.in_(ids)).values(_BLANK))

    async def lent(self, user: UserId) -> list[tuple[GenerationId, int, str]]:
        """Images that the member attached privately and that others' ended requests repeat: request, place, digest."""
        statement = select(_R.generation_id, _R.position, _R.digest).join(generations, _G.id == _R.generation_id)
        rows = await self._connection.execute(statement.where(_R.owner_id == user, _HAS_ENDED))
        return [(generation, position, digest or "") for generation, position, digest in rows]

    async def is_used_by_others(self, digest: str, user: UserId) -> bool:
        """Whether somebody else gave the same image, or a reference set has it."""
        theirs = exists().where(_R.digest == digest, or_(_R.owner_id.is_(None), _R.owner_id != user))
        return bool(await self._connection.scalar(select(or_(theirs, exists().where(set_images.c.digest == digest)))))

    async def take_back(self, generation: GenerationId, position: int) -> None:
        """Remove a member's image from another's request, which then cannot be repeated."""
        gone = {"url": "", "filename": "", "digest": None, "owner_id": ERASED_MEMBER}
        key = (_R.generation_id == generation, _R.position == position)
        await self._connection.execute(update(references).where(*key).values(gone))

    async def written_by(self, erasure: Erasure) -> list[int]:
        """Rows of the ledger with words that the member wrote as an admin; looks at every row."""
        if erasure.kind is ErasureKind.SERVER:
            return []
        return list(await self._connection.scalars(select(_L.id).where(_L.actor_id == erasure.subject, _L.note != "")))

    async def forget(self, erasure: Erasure, written: Sequence[int]) -> None:
        """Remove everything else that has words. Limits that admins set for a member stay."""
        run, subject = self._connection.execute, erasure.subject
        if erasure.kind is ErasureKind.USER:
            for table in (drafts, favourites, credit_requests, preferences, image_reporters):
                await run(delete(table).where(table.c.user_id == subject))
            for decided_by in (_I.deleted_by, _I.refunded_by, _I.dismissed_by):
                await run(update(image_reports).where(decided_by == subject).values({decided_by: ERASED_MEMBER}))
            whose = _L.user_id == subject
        else:
            for table in (rules, servers, credit_requests, greetings, image_reports):
                await run(delete(table).where(table.c.guild_id == subject))
            whose = _L.guild_id == subject
        await run(update(ledger).where(whose, _L.note != "").values(note=""))
        if written:
            await run(update(ledger).where(_L.id.in_(written)).values(note=""))

    async def finish(self, erasure: Erasure, at: datetime) -> bool:
        """Take the bonus credits, and record that all words are gone; False while a request still has some."""
        if await self.is_open(erasure):
            return False
        # What is left of an account must not depend on rows that no longer belong to it.
        for account in await self.bonuses(erasure):
            await self._ledger.forfeit_bonus(account, at)
        through = await self._connection.scalar(select(func.max(_L.id))) or 0
        values = {"erased_at": at, "unname_at": ids_needed_until(at), "through": through}
        await self._connection.execute(update(erasures).where(*_key(erasure)).values(values))
        return True

    async def named_accounts(self, erasure: Erasure, limit: int) -> list[Account]:
        """Accounts whose rows from before still have an id."""
        whose = _L.user_id == erasure.subject if erasure.kind is ErasureKind.USER else _L.guild_id == erasure.subject
        statement = select(_L.user_id, _L.guild_id).distinct()
        statement = statement.where(whose, _L.id <= erasure.through, _L.user_id.not_in(_NOBODY))
        return [Account(user, guild) for user, guild in await self._connection.execute(statement.limit(limit))]

    async def unname(self, account: Account, through: int) -> None:
        """Give an account's rows of the ledger up to this one, and their requests, to :data:`ERASED_MEMBER`.

        Once :meth:`unnameable` finds none. The rest moves at once: parts of it would change what is left of the bonus.
        """
        await self._unname(_erased(account, through))
        await unname_account(self._connection, account, through)

    async def unnameable(self, account: Account, through: int, after: int, limit: int) -> list[GenerationId]:
        """Erased requests that used no bonus, with ids above ``after``, in the order of their ids."""
        used_bonus = exists().where(_L.generation_id == _G.id, _L.bonus != ZERO)
        statement = select(_G.id).where(*_erased(account, through), ~used_bonus, _G.id > after).order_by(_G.id)
        return list(await self._connection.scalars(statement.limit(limit)))

    async def unname_requests(self, account: Account, ids: Sequence[GenerationId]) -> None:
        """Give these requests, with their rows of the ledger, to :data:`ERASED_MEMBER`."""
        await self._unname((_G.id.in_(ids),))
        await unname_requests(self._connection, account, ids)

    async def _unname(self, of: Sequence[ColumnElement[bool]]) -> None:
        run, nameless = self._connection.execute, {"user_id": ERASED_MEMBER}
        await run(update(tasks).where(tasks.c.generation_id.in_(select(_G.id).where(*of))).values(nameless))
        await run(update(generations).where(*of).values(nameless))

    async def acted(self, erasure: Erasure) -> list[int]:
        """Rows from before that name who acted as an admin; looks at every row."""
        whose = _L.actor_id == erasure.subject if erasure.kind is ErasureKind.USER else _L.guild_id == erasure.subject
        named = (_L.actor_id.is_not(None), _L.actor_id.not_in(_NOBODY), _L.id <= erasure.through)
        return list(await self._connection.scalars(select(_L.id).where(whose, *named)))

    async def unname_actors(self, rows: Sequence[int]) -> None:
        """Replace who acted in these rows of the ledger."""
        await unname_actors(self._connection, rows)

    async def remove(self, erasure: Erasure) -> None:
        """Nothing is left to be done."""
        await self._connection.execute(delete(erasures).where(*_key(erasure)))


def _of(erasure: Erasure) -> ColumnElement[bool]:
    return (_G.user_id if erasure.kind is ErasureKind.USER else _G.guild_id) == erasure.subject


def _erased(account: Account, through: int) -> tuple[ColumnElement[bool], ...]:
    """An account's requests without words, up to this row of the ledger: another erasure's may be younger."""
    younger = exists().where(_L.generation_id == _G.id, _L.id > through)
    return (_G.user_id == account.user_id, _G.guild_id == account.guild_id, ~_HAS_WORDS, ~younger)


def _key(erasure: Erasure) -> tuple[ColumnElement[bool], ...]:
    # Not one that was asked for again meanwhile.
    return (_E.kind == erasure.kind, _E.subject == erasure.subject, _E.asked_at == erasure.asked_at)


def _erasure(row: RowMapping) -> Erasure:
    return Erasure(**{name: row[name] for name in ("kind", "subject", "asked_at", "erased_at", "unname_at", "through")})
