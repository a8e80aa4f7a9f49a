"""From a member's attachments to references that KIE can fetch: downloaded, checked, uploaded. Costs nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.errors import ReferenceProblem, ReferenceRefused
from bot.domain.generation import Reference
from bot.domain.ports import ImageApi
from bot.media.fetch import Fetcher, FetchFailed, FetchRefused, FetchTooLarge
from bot.media.pixels import REFERENCE_MAX_BYTES, Studio, check_reference


@dataclass(frozen=True, slots=True)
class Source:
    """A picture as Discord offers it: its address, the member's name for it, and its size in bytes."""

    url: str
    filename: str
    size: int


class References:
    """Makes references of sources, keeping their order, since prompts speak of "image 2"."""

    def __init__(self, fetcher: Fetcher, studio: Studio, api: ImageApi) -> None:
        self._fetcher = fetcher
        self._studio = studio
        self._api = api

    async def take(self, sources: Sequence[Source]) -> tuple[Reference, ...]:
        """All of them or none; raises ReferenceRefused for the first that cannot be used, or UploadFailed."""
        for source in sources:
            if source.size > REFERENCE_MAX_BYTES:
                raise ReferenceRefused(source.filename, ReferenceProblem.TOO_LARGE)
        try:
            async with asyncio.TaskGroup() as group:
                taken = [group.create_task(self._take(source)) for source in sources]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return tuple(task.result() for task in taken)

    async def _take(self, source: Source) -> Reference:
        try:
            data = await self._fetcher.to_bytes(source.url, REFERENCE_MAX_BYTES)
        except FetchTooLarge as error:
            raise ReferenceRefused(source.filename, ReferenceProblem.TOO_LARGE) from error
        except (FetchRefused, FetchFailed) as error:
            raise ReferenceRefused(source.filename, ReferenceProblem.UNREACHABLE) from error
        checked = await self._studio.run(check_reference, data, source.filename)
        name = f"reference.{checked.kind.suffix}"
        url = await self._api.upload(checked.data, name, checked.kind.content_type)
        return Reference(url, source.filename)
