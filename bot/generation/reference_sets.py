"""Reference sets: images under a name, for as long as their member or server wants them."""

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.credits import Account
from bot.domain.errors import EaselError, TooManyImages
from bot.domain.generation import Source
from bot.domain.ids import ReferenceSetId
from bot.domain.privacy_errors import BeingErased
from bot.domain.settings import REFERENCES_MAX
from bot.domain.style_errors import NoRoomForSets, NoSuchSet, SetFull, SetsTooLarge, TooManySets
from bot.domain.styles import (
    SERVER_SETS_MAX,
    SET_BYTES_MAX,
    SETS_MAX,
    Owner,
    ReferenceSet,
    SavedImage,
    Shared,
    find,
    owners,
    valid_name,
)
from bot.generation.references import KeptReferences, ReferencePreparer, SanitizedSource
from bot.generation.validation import surplus
from bot.runtime import Runtime


class ReferenceSets:
    """Finds and changes them. Who may change a server's is checked by those who call.

    The rows decide which images are kept, so they are written first.
    """

    def __init__(
        self, runtime: Runtime, references: ReferencePreparer, kept: KeptReferences, max_bytes: int = 2_000_000_000
    ) -> None:
        """``max_bytes`` of all sets together."""
        self._max_bytes = max_bytes
        self._store = runtime.store
        self._new_id = runtime.new_id
        self._references = references
        self._kept = kept

    async def visible(self, account: Account) -> list[ReferenceSet]:
        """What a member can use here: the server's, then their own."""
        async with self._store.read() as tx:
            saved = await tx.reference_sets.of(*owners(account))
        return sorted(saved, key=lambda one: one.owner.shared is Shared.OWN)

    async def find(self, account: Account, text: str) -> ReferenceSet:
        """The set that an option names; raises NoSuchSet."""
        saved = find(await self.visible(account), text)
        if saved is None:
            raise NoSuchSet(text.partition(":")[2] or text)
        return saved

    async def get(self, set_id: ReferenceSetId) -> ReferenceSet | None:
        """A set, or None."""
        async with self._store.read() as tx:
            return await tx.reference_sets.get(set_id)

    async def add(
        self, account: Account, owner: Owner, name: str, sources: Sequence[Source]
    ) -> tuple[ReferenceSet, int, list[str]]:
        """Save images under a name, with those that are there; one that is there already is not added again.

        Returns the set, how many images are new in it, and the names of files that are no images.

        Raises NameMissing, TooManySets, SetFull, SetsTooLarge, NoRoomForSets, BeingErased, DiskError, or what
        :meth:`ReferencePreparer.sanitized` raises.
        """
        name = valid_name(name)
        if len(sources) > 2 * REFERENCES_MAX:
            raise TooManyImages(surplus(sources))
        async with self._store.read() as tx:
            before = find(await tx.reference_sets.of(owner), f"{owner.shared.value}:{name}")
        if before is not None and len(before.images) >= REFERENCES_MAX:
            raise SetFull(before.name, len(before.images))
        async with self._references.sanitized(sources, account.user_id) as images:
            async with self._store.write() as tx:
                if await tx.erasures.blocks(account):
                    raise BeingErased
                sets = await tx.reference_sets.of(owner)
                before = find(sets, f"{owner.shared.value}:{name}")
                limit = SETS_MAX if owner.shared is Shared.OWN else SERVER_SETS_MAX
                if before is None and len(sets) >= limit:
                    raise TooManySets(limit)
                base = before or ReferenceSet(owner, name, ReferenceSetId(self._new_id()))
                saved = replace(base, images=_with(base, images))
                if await tx.reference_sets.size(owner) + _size(saved) - _size(base) > SET_BYTES_MAX:
                    raise SetsTooLarge
                if await tx.reference_sets.total_size() + _size(saved) - _size(base) > self._max_bytes:
                    raise NoRoomForSets
                await tx.reference_sets.put(saved)
            try:
                for image in images:
                    await self._kept.keep_for_set(image.image.path, image.digest, image.image.file_type)
            except EaselError:
                await self._undo(saved, before)
                raise
        left_out = set(sources) - {image.source for image in images}
        new = len(saved.images) - len(base.images)
        return saved, new, [source.filename for source in sources if source in left_out]

    async def remove(self, saved: ReferenceSet) -> None:
        """Delete a set and those of its images that nothing else has. Raises NoSuchSet."""
        async with self._store.write() as tx:
            if await tx.reference_sets.get(saved.id) is None:
                raise NoSuchSet(saved.name)
            digests = await tx.reference_sets.only_in([saved.id])
            await tx.reference_sets.remove([saved.id], digests)
        await self._kept.remove(digests)

    async def _undo(self, saved: ReferenceSet, before: ReferenceSet | None) -> None:
        async with self._store.write() as tx:
            if before is None:
                await tx.reference_sets.remove([saved.id])
            else:
                await tx.reference_sets.put(before)


def _with(saved: ReferenceSet, images: Sequence[SanitizedSource]) -> tuple[SavedImage, ...]:
    by_digest = {image.digest: image for image in saved.images}
    for image in images:
        new = SavedImage(image.source.filename, image.digest, image.image.path.stat().st_size, image.source.spoiler)
        by_digest.setdefault(image.digest, new)
    if len(by_digest) > REFERENCES_MAX:
        raise SetFull(saved.name, len(saved.images))
    return tuple(by_digest.values())


def _size(saved: ReferenceSet) -> int:
    return sum(image.size for image in saved.images)
