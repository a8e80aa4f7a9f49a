"""Erases what is stored of a member or of a server; what was begun is finished by the next process."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog

from bot.domain.credits import ZERO, Account
from bot.domain.erasure import Erasure, ErasureKind, StoredData
from bot.domain.errors import GenerationGone, NotYours, TooLateToCancel
from bot.domain.ids import GenerationId, GuildId, UserId
from bot.domain.styles import Owner
from bot.generation.references import KeptReferences
from bot.generation.service import GenerationService
from bot.generation.undelivered import Undelivered
from bot.runtime import Runtime, retry_until_available

log = structlog.stdlib.get_logger(__name__)

_EVERY, _EVERY_WHILE_OPEN = 20.0, 2.0
"""Seconds between looks for erasures that another process, or the command line, was asked for; and while one waits."""
_AT_ONCE = 100
"""Requests, accounts or rows of the ledger per transaction."""


class Eraser:
    """Takes requests for erasure in any process; :meth:`run` carries them out in the one that leads.

    Each step is a transaction that can be repeated. What can be cancelled is cancelled; the rest of what is open is
    waited for, and its member makes nothing new meanwhile. The row of a request stays without its words, since reports
    and the audit of the ledger need it. Ids stay in the ledger until the running periods are over, so that erasing
    refills no credits.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        generations: GenerationService,
        undelivered: Undelivered,
        references: KeptReferences,
    ) -> None:
        self._store = runtime.store
        self._clock = runtime.clock
        self._generations = generations
        self._undelivered = undelivered
        self._references = references
        self._asked = asyncio.Event()

    async def stored(self, user: UserId) -> StoredData:
        """What is stored of a member."""
        async with self._store.read() as tx:
            requests, waiting = await tx.erasures.counts(user)
            erasure = await tx.erasures.find(ErasureKind.USER, user)
            whose = Erasure(ErasureKind.USER, user, self._clock.now())
            bonus = sum((await tx.erasures.bonuses(whose)).values(), ZERO)
            styles = len(await tx.styles.of(Owner.member(user)))
            sets = len(await tx.reference_sets.of(Owner.member(user)))
        return StoredData(requests, waiting, bonus, erasure, styles, sets)

    async def request(self, kind: ErasureKind, subject: int) -> None:
        """Ask for an erasure; one that goes on already stays."""
        async with self._store.write() as tx:
            await tx.erasures.request(kind, subject, self._clock.now())
        log.info("erasure requested", kind=kind.value)
        self._asked.set()

    async def run(self) -> None:
        """Carry out what was asked for, until cancelled."""
        while True:
            self._asked.clear()
            finished = await retry_until_available(self.work)
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY if finished else _EVERY_WHILE_OPEN):
                    await self._asked.wait()

    async def work(self) -> bool:
        """Erase what can be erased now; False when something has to wait. Raises StoreUnavailable."""
        async with self._store.read() as tx:
            pending, due = await tx.erasures.pending(), await tx.erasures.due(self._clock.now())
        finished = [await self._erase(erasure) for erasure in pending]
        for erasure in due:
            await self._unname(erasure)
        return all(finished)

    async def _erase(self, erasure: Erasure) -> bool:
        try:
            return await self._erase_what_has_ended(erasure)
        except OSError as error:
            log.error("erasure held up: a file cannot be removed", error=error.strerror)
            return True

    async def _erase_what_has_ended(self, erasure: Erasure) -> bool:
        await self._end_what_is_open(erasure)
        await self._forget_saved(erasure)
        last = 0
        while ids := await self._blank_some(erasure, last):
            last = ids[-1]
        async with self._store.read() as tx:
            if await tx.erasures.is_open(erasure):
                return False
        await self._take_back(erasure)
        async with self._store.read() as tx:
            written = await tx.erasures.written_by(erasure)
        async with self._store.write() as tx:
            await tx.erasures.forget(erasure, written)
            finished = await tx.erasures.finish(erasure, self._clock.now())
        if finished:
            await self._store.drop_old_pages()
            log.info("data erased", kind=erasure.kind.value)
        return finished

    async def _end_what_is_open(self, erasure: Erasure) -> None:
        async with self._store.read() as tx:
            cancellable = await tx.erasures.cancellable(erasure)
            undelivered = await tx.erasures.undelivered(erasure)
        for generation, user in cancellable:
            with suppress(GenerationGone, NotYours, TooLateToCancel):
                await self._generations.cancel(generation, user)
        if undelivered:
            await self._undelivered.drop(undelivered)

    async def _forget_saved(self, erasure: Erasure) -> None:
        """Styles and reference sets, with the images that nothing else has; the rest go with the requests."""
        if erasure.kind is ErasureKind.USER:
            owner = Owner.member(UserId(erasure.subject))
        else:
            owner = Owner.server(GuildId(erasure.subject))
        async with self._store.read() as tx:
            sets = [saved.id for saved in await tx.reference_sets.of(owner)]
            styles = await tx.styles.of(owner)
            digests = await tx.reference_sets.only_in(sets)
        if not sets and not styles:
            return
        # First, since the rows tell which files there are.
        await self._references.remove(digests)
        async with self._store.write() as tx:
            await tx.styles.remove_all(owner)
            await tx.reference_sets.remove(sets, digests)

    async def _blank_some(self, erasure: Erasure, after: int) -> Sequence[int]:
        async with self._store.read() as tx:
            ids = await tx.erasures.ended(erasure, after, _AT_ONCE)
            digests = await tx.erasures.digests(ids)
        # First, since the rows tell which files there are.
        await self._references.remove(digests)
        if ids:
            async with self._store.write() as tx:
                await tx.erasures.blank(ids, digests)
        return ids

    async def _take_back(self, erasure: Erasure) -> None:
        """The member's private images, from requests of others that repeat theirs."""
        if erasure.kind is not ErasureKind.USER:
            return
        user = UserId(erasure.subject)
        async with self._store.read() as tx:
            lent = await tx.erasures.lent(user)
            alone = {digest for _, _, digest in lent if not await tx.erasures.is_used_by_others(digest, user)}
        await self._references.remove(alone)
        for generation, position, _ in lent:
            async with self._store.write() as tx:
                await tx.erasures.take_back(generation, position)

    async def _unname(self, erasure: Erasure) -> None:
        await self._take_back(erasure)
        async with self._store.read() as tx:
            acted = await tx.erasures.acted(erasure)
        for start in range(0, len(acted), _AT_ONCE):
            async with self._store.write() as tx:
                await tx.erasures.unname_actors(acted[start : start + _AT_ONCE])
        while True:
            async with self._store.read() as tx:
                accounts = await tx.erasures.named_accounts(erasure, _AT_ONCE)
            if not accounts:
                break
            for account in accounts:
                last = 0
                while ids := await self._unname_some(account, erasure.through, last):
                    last = ids[-1]
                async with self._store.write() as tx:
                    await tx.erasures.unname(account, erasure.through)
        async with self._store.write() as tx:
            await tx.erasures.remove(erasure)
        log.info("ids removed from the ledger", kind=erasure.kind.value)

    async def _unname_some(self, account: Account, through: int, after: int) -> Sequence[GenerationId]:
        async with self._store.read() as tx:
            ids = await tx.erasures.unnameable(account, through, after, _AT_ONCE)
        if ids:
            async with self._store.write() as tx:
                await tx.erasures.unname_requests(account, ids)
        return ids
