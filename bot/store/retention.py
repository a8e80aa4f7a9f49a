"""What the nightly maintenance deletes, and what it folds into sums; each call is a small part of the work.

Nothing that is open is touched: a generation counts as ended when its outcome was delivered, each of its tasks has
ended, and it does not wait for its member's next command.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    bindparam,
    delete,
    exists,
    func,
    null,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credit_requests import CreditRequestState
from bot.domain.credits import ZERO, Credits, Movement
from bot.domain.generation import Delivery
from bot.domain.ids import GenerationId, ImageId, first_snowflake
from bot.domain.states import OPEN, TaskState
from bot.store.clauses import in_constants, in_parameter
from bot.store.draft_table import drafts
from bot.store.quota_tables import credit_requests, ledger
from bot.store.report_tables import image_reporters
from bot.store.tables import generations, images, references, tasks, undelivered, uploads
from bot.store.totals import LedgerTotals

_C, _G = ledger.c, generations.c
_BEFORE, _LIMIT = bindparam("before", type_=_G.id.type), bindparam("limit", type_=Integer)
_NOT_ENDED = OPEN | {TaskState.OVERDUE}
_HAS_ENDED = (
    (_G.delivery == Delivery.DONE)
    & ~exists().where(tasks.c.generation_id == _G.id, in_constants(tasks.c.state, _NOT_ENDED))
    & ~exists().where(undelivered.c.generation_id == _G.id)
)
# Ids sort by time, so the primary key finds what is old.
_ENDED = select(_G.id).where(_G.id < _BEFORE, _HAS_ENDED).order_by(_G.id).limit(_LIMIT)
_HAS_WORDS = (_G.id >= bindparam("first"), _G.id < _BEFORE, _G.prompt != text("''"))
_ENDED_WITH_WORDS = select(_G.id).where(*_HAS_WORDS, _HAS_ENDED).order_by(_G.id).limit(_LIMIT)
_FIRST_WITH_WORDS = select(func.min(_G.id)).where(*_HAS_WORDS)
_OF_GENERATIONS = in_parameter(_C.generation_id, "ids")
_MOVEMENT = (_C.id, _C.guild_id, _C.user_id, _C.movement, _C.round, _C.counts_at, _C.credits, _C.bonus, _C.folded)
_IS_REWORDING = _C.movement == text(f"'{Movement.REWORDING}'")


def _old_single(condition: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """As in its index: what belongs to no task and was not folded, from the oldest on."""
    single = select(*_MOVEMENT).where(text("task_id IS NULL AND folded = 0"), condition)
    first = single.order_by(_C.id).limit(_LIMIT).subquery("single")
    return select(first).where(first.c.counts_at < bindparam("before"))


_OLD_SINGLE, _OLD_REWORDINGS = _old_single(~_IS_REWORDING), _old_single(_IS_REWORDING)
_REWORDINGS_AT = select(*_MOVEMENT).where(
    in_parameter(_C.guild_id, "guilds"), in_parameter(_C.counts_at, "moments"), _IS_REWORDING, _C.folded == text("0")
)
_SUMS = select(*_MOVEMENT).where(
    in_parameter(_C.guild_id, "guilds"),
    in_parameter(_C.counts_at, "years"),
    in_parameter(_C.user_id, "users"),
    _C.folded > 0,
)
_WITHOUT_WORDS = {_C.actor_id: null(), _C.note: "", _C.change: null()}
_ROUNDS = (
    select(_C.guild_id, _C.user_id, func.max(_C.round))
    .where(tuple_(_C.guild_id, _C.user_id).in_(bindparam("accounts", expanding=True)), _C.movement == text("'reset'"))
    .group_by(_C.guild_id, _C.user_id)
)
_IS_DECIDED = (credit_requests.c.state != CreditRequestState.OPEN) & credit_requests.c.untold.is_(None)

_Row = Row[*tuple[Any, ...]]
_Key = tuple[int, int, Movement, int, datetime]


@dataclass(slots=True)
class _Sum:
    keep: int
    credits: Credits = ZERO
    bonus: Credits = ZERO
    movements: int = 0


class RetentionRepository:
    """Each method handles at most ``limit`` rows of what is older than ``before``, and says how many it handled."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._totals = LedgerTotals(connection)

    async def forget_old_words(self, first: GenerationId, before: datetime, limit: int) -> int:
        """Delete the words and references of ended generations, from this one on."""
        values = {"first": first, "before": first_snowflake(before), "limit": limit}
        ids = (await self._connection.scalars(_ENDED_WITH_WORDS, values)).all()
        await self.forget_words(ids)
        return len(ids)

    async def first_with_words(self, first: GenerationId, before: datetime) -> GenerationId:
        """The first generation from this one on that has words, or where those that are young enough begin."""
        end = first_snowflake(before)
        return await self._connection.scalar(_FIRST_WITH_WORDS, {"first": first, "before": end}) or GenerationId(end)

    async def forget_words(self, ids: Collection[GenerationId]) -> None:
        """Delete what members wrote and attached for these generations, and the tokens of their interactions."""
        if ids:
            words = {"prompt": "", "style": None, "template": None, "interaction_token": ""}
            await self._connection.execute(update(generations).where(_G.id.in_(ids)).values(words))
            await self._connection.execute(delete(references).where(references.c.generation_id.in_(ids)))

    async def delete_old_images(self, before: datetime, limit: int) -> int:
        """Delete what is known about posted images: in which message each is, and what it was edited from."""
        old = select(images.c.id).where(images.c.id < first_snowflake(before)).order_by(images.c.id).limit(limit)
        ids = (await self._connection.scalars(old)).all()
        await self._delete_images(ids)
        return len(ids)

    async def fold_old_movements(self, before: datetime, limit: int) -> int:
        """Fold the movements that belong to no image: grants into sums; of resets the last is kept, of changes none.

        To be finished before :meth:`fold_old_generations`, so that no sum of spent bonus precedes what was granted.
        Rewordings follow after that, so that none precedes the refund whose bonus it spent.
        """
        result = await self._connection.execute(_OLD_SINGLE, {"before": before, "limit": limit})
        rows = result.all()
        resets = [row for row in rows if row.movement is Movement.RESET]
        accounts = {(row.guild_id, row.user_id) for row in resets}
        rounds = {
            (guild, user): last
            for guild, user, last in await self._connection.execute(_ROUNDS, {"accounts": list(accounts)})
        }
        kept = [row.id for row in resets if row.round == rounds[row.guild_id, row.user_id]]
        if kept:
            await self._connection.execute(
                update(ledger).where(_C.id.in_(kept)).values(_WITHOUT_WORDS | {_C.folded: 1})
            )
        grants = [row for row in rows if row.movement is Movement.GRANT]
        await self._fold(grants)
        done = {*kept, *(row.id for row in grants)}
        await self._delete_movements([row.id for row in rows if row.id not in done])
        return len(rows)

    async def fold_old_rewordings(self, before: datetime, limit: int) -> int:
        """Fold what was paid for rewordings into sums, each together with its refund, which counts at that moment."""
        old = (await self._connection.execute(_OLD_REWORDINGS, {"before": before, "limit": limit})).all()
        moments = {"guilds": list({row.guild_id for row in old}), "moments": list({row.counts_at for row in old})}
        rows = (await self._connection.execute(_REWORDINGS_AT, moments)).all()
        await self._fold(rows)
        return len(rows)

    async def fold_old_generations(self, before: datetime, limit: int) -> int:
        """Delete ended generations with everything about them, and fold their movements."""
        ids = (await self._connection.scalars(_ENDED, {"before": first_snowflake(before), "limit": limit})).all()
        await self.fold_generations(ids)
        return len(ids)

    async def fold_generations(self, ids: Sequence[GenerationId]) -> None:
        """Delete these generations, none of which is open; of their movements the sums of each year stay."""
        if not ids:
            return
        rows = (await self._connection.execute(select(*_MOVEMENT).where(_OF_GENERATIONS), {"ids": ids})).all()
        # A settlement moves no credits.
        await self._delete_movements([row.id for row in rows if row.movement is Movement.SETTLE])
        await self._fold([row for row in rows if row.movement is not Movement.SETTLE])
        of_them = select(images.c.id).where(images.c.generation_id.in_(ids))
        await self._delete_images((await self._connection.scalars(of_them)).all())
        for table in (references, tasks):
            await self._connection.execute(delete(table).where(table.c.generation_id.in_(ids)))
        await self._connection.execute(delete(generations).where(_G.id.in_(ids)))

    async def delete_old_requests(self, before: datetime, limit: int) -> int:
        """Delete requests for credits that were decided, or expired, and whose members know it."""
        c = credit_requests.c
        return await self._delete(
            select(c.id).where(c.id < first_snowflake(before), _IS_DECIDED).order_by(c.id), c.id, limit
        )

    async def delete_old_reports(self, before: datetime, limit: int) -> int:
        """Delete who reported images and why; that an image was reported, and refunded, is known as long as the image.

        Otherwise it could be refunded again.
        """
        c = image_reporters.c
        old = select(c.image_id, c.user_id).where(c.reported_at < before).limit(limit)
        result = await self._connection.execute(delete(image_reporters).where(tuple_(c.image_id, c.user_id).in_(old)))
        return result.rowcount

    async def delete_old_drafts(self, before: datetime, limit: int) -> int:
        """Delete drafts, whose images' addresses have expired; not before a refund that is due."""
        c = drafts.c
        return await self._delete(select(c.id).where(c.created_at < before, c.charge_id.is_(None)), c.id, limit)

    async def delete_old_uploads(self, before: datetime, limit: int) -> int:
        """Delete addresses of uploads, which KIE has deleted."""
        c = uploads.c
        return await self._delete(select(c.digest).where(c.uploaded_at < before), c.digest, limit)

    async def _delete(self, rows: Select[Any], key: ColumnElement[Any], limit: int) -> int:
        result = await self._connection.execute(delete(key.table).where(key.in_(rows.limit(limit))))
        return result.rowcount

    async def _delete_images(self, ids: Sequence[ImageId]) -> None:
        edits = update(images).where(images.c.parent_id.in_(ids)).values(parent_id=null())
        await self._connection.execute(edits)
        await self._connection.execute(delete(images).where(images.c.id.in_(ids)))

    async def _delete_movements(self, ids: Sequence[int]) -> None:
        if ids:
            await self._connection.execute(delete(ledger).where(in_parameter(_C.id, "ids")), {"ids": ids})

    async def _fold(self, rows: Sequence[_Row]) -> None:
        """Replace movements by their sums, each in the place of the first one of its year."""
        if not rows:
            return
        keys = {row.id: _key(row) for row in rows}
        sums: dict[_Key, _Sum] = {}
        for row in [*await self._sums(set(keys.values())), *rows]:
            one = sums.setdefault(_key(row), _Sum(row.id))
            one.credits, one.bonus = one.credits + row.credits, one.bonus + row.bonus
            one.movements += row.folded or 1
        kept = [one.keep for one in sums.values()]
        changed = sorted({*keys, *kept})
        await self._totals.subtract(changed)
        await self._connection.execute(_BECOMES_SUM, [_values(key, one) for key, one in sums.items()])
        await self._delete_movements(sorted(keys.keys() - set(kept)))
        await self._totals.add(kept)
        await self._totals.drop_empty({(row.guild_id, row.user_id, row.round, row.counts_at) for row in rows})

    async def _sums(self, keys: Collection[_Key]) -> list[_Row]:
        """The sums that there are for these keys already."""
        values = {
            "guilds": list({key[0] for key in keys}),
            "users": list({key[1] for key in keys}),
            "years": list({key[4] for key in keys}),
        }
        return [row for row in (await self._connection.execute(_SUMS, values)).all() if _key(row) in keys]


_BECOMES_SUM: Final = (
    update(ledger)
    .where(_C.id == bindparam("kept"))
    .values(
        _WITHOUT_WORDS
        | {
            _C.at: bindparam("year"),
            _C.counts_at: bindparam("year"),
            _C.credits: bindparam("sum_of_credits"),
            _C.bonus: bindparam("sum_of_bonus"),
            _C.folded: bindparam("movements"),
            _C.generation_id: null(),
            _C.task_id: null(),
        }
    )
)


def _values(key: _Key, one: _Sum) -> Mapping[str, object]:
    return {
        "kept": one.keep,
        "year": key[4],
        "sum_of_credits": one.credits,
        "sum_of_bonus": one.bonus,
        "movements": one.movements,
    }


def _key(row: _Row) -> _Key:
    """Account, kind, round, and the year (UTC) in which the movement counts."""
    year = row.counts_at.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
    return row.guild_id, row.user_id, row.movement, row.round, year
