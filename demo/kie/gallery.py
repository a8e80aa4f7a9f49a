"""The results: painted in a thread when first looked at, and kept for the next look."""

import asyncio

from demo.kie.paint import PictureFormat, Wish, noise, paint, placeholder
from demo.kie.script import Succeed
from demo.kie.tasks import Task

KEPT_PICTURES = 32


class Gallery:
    """Paints each picture once, however many ask; the oldest ones are dropped and repainted the same."""

    def __init__(self, picture_format: PictureFormat, *, painting: bool, shrink: int) -> None:
        self.suffix = picture_format.lower() if painting else "png"
        self._format: PictureFormat = picture_format
        self._shrink = shrink
        self._placeholder = None if painting else placeholder()
        self._pictures: dict[tuple[str, int], asyncio.Task[bytes]] = {}

    async def picture(self, task: Task, number: int) -> tuple[bytes, str]:
        """The bytes and content type of a successful task's picture; ``number`` counts from 1."""
        noisy = isinstance(task.outcome, Succeed) and task.outcome.noise_megabytes > 0
        if self._placeholder is not None and not noisy:
            return self._placeholder, "image/png"
        key = (task.id, number)
        if key not in self._pictures:
            self._pictures[key] = asyncio.create_task(self._paint(task, number))
            self._forget_oldest()
        # A caller that goes away must not spoil the painting for the others.
        content = await asyncio.shield(self._pictures[key])
        return content, "image/png" if noisy else f"image/{self._format.lower()}"

    def _forget_oldest(self) -> None:
        done = [key for key, painting in self._pictures.items() if painting.done()]
        for key in done[: max(len(self._pictures) - KEPT_PICTURES, 0)]:
            del self._pictures[key]

    async def close(self) -> None:
        """Stop waiting for unfinished paintings."""
        pending = list(self._pictures.values())
        for painting in pending:
            painting.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    async def _paint(self, task: Task, number: int) -> bytes:
        if isinstance(task.outcome, Succeed) and task.outcome.noise_megabytes > 0:
            return await asyncio.to_thread(noise, task.outcome.noise_megabytes, seed=f"{task.id}/{number}")
        order = task.order
        wish = Wish(
            prompt=order.prompt,
            model=order.model,
            aspect_ratio=order.aspect_ratio,
            resolution=order.resolution,
            references=task.references or (),
            variant=task.variant + number - 1,
            shrink=self._shrink,
        )
        return await asyncio.to_thread(paint, wish, self._format)
