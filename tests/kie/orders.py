"""Orders as the submitter draws them up."""

from bot.domain.ids import TaskId
from bot.domain.ports import TaskInput
from bot.domain.settings import AspectRatio, Model, Resolution, Settings


def order(
    prompt: str = "a lighthouse in a storm",
    *,
    model: Model = Model.PRO,
    aspect_ratio: AspectRatio = AspectRatio.SQUARE,
    resolution: Resolution = Resolution.ONE_K,
    steps: int | None = None,
    guidance: float | None = None,
    references: tuple[str, ...] = (),
    task_id: int = 987654321,
) -> TaskInput:
    """One task to order."""
    return TaskInput(TaskId(task_id), prompt, Settings(model, aspect_ratio, resolution, steps, guidance), references)
