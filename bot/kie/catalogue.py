"""KIE's four FLUX.2 models and the input that each takes (docs.kie.ai, market/flux2)."""

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
    """Turns an order into the body of a createTask request."""

    nsfw_checker: bool
    """Whether KIE's own filter judges prompt and image; KIE's default is off, so it is always said."""

    def body(self, order: TaskInput, callback_url: str | None) -> dict[str, object]:
        """The request's JSON. With references it names an image-to-image model, else a text-to-image one."""
        settings = order.settings
        model = (IMAGE_TO_IMAGE if order.reference_urls else TEXT_TO_IMAGE)[settings.model]
        given: dict[str, object] = {
            "prompt": order.prompt,
            "aspect_ratio": settings.aspect_ratio.value,
            "resolution": settings.resolution.value,
            "nsfw_checker": self.nsfw_checker,
        }
        if order.reference_urls:
            given["input_urls"] = list(order.reference_urls)
        if settings.steps is not None:
            given["steps"] = settings.steps
        if settings.guidance is not None:
            given["guidance"] = settings.guidance
        body: dict[str, object] = {"model": model, "input": given}
        if callback_url is not None:
            body["callBackUrl"] = callback_url
        return body
