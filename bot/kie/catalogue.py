"""KIE's four FLUX.2 models and their input fields (docs.kie.ai, market/flux2)."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.ports import TaskInput
from bot.domain.settings import Model

TEXT_TO_IMAGE: Mapping[Model, str] = {
    Model.PRO: "flux-2/pro-text-to-image",
    Model.FLEX: "flux-2/flex-text-to-image",
}
IMAGE_TO_IMAGE: Mapping[Model, str] = {
    Model.PRO: "flux-2/pro-image-to-image",
    Model.FLEX: "flux-2/flex-image-to-image",
}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Builds the body of a createTask request."""

    nsfw_checker: bool
    """Whether KIE checks prompt and image with its own filter. Always sent, because KIE's default is off."""

    def body(self, task_input: TaskInput, callback_url: str | None) -> dict[str, object]:
        """The JSON of the request; the model is image-to-image when there are references, otherwise text-to-image."""
        settings = task_input.settings
        model = (IMAGE_TO_IMAGE if task_input.reference_urls else TEXT_TO_IMAGE)[settings.model]
        fields: dict[str, object] = {
            "prompt": task_input.prompt,
            "aspect_ratio": settings.aspect_ratio.value,
            "resolution": settings.resolution.value,
            "nsfw_checker": self.nsfw_checker,
        }
        if task_input.reference_urls:
            fields["input_urls"] = list(task_input.reference_urls)
        if settings.steps is not None:
            fields["steps"] = settings.steps
        if settings.guidance is not None:
            fields["guidance"] = settings.guidance
        body: dict[str, object] = {"model": model, "input": fields}
        if callback_url is not None:
            body["callBackUrl"] = callback_url
        return body
