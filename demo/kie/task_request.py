"""What the four FLUX.2 models accept and cost, and how KIE refuses an invalid createTask request."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TypeGuard

from demo.kie.wire import Json, KieError

PRICES: Mapping[tuple[str, str], Decimal] = MappingProxyType(
    {
        ("pro", "1K"): Decimal(5),
        ("pro", "2K"): Decimal(7),
        ("flex", "1K"): Decimal(14),
        ("flex", "2K"): Decimal(24),
    }
)
MODELS: Mapping[str, tuple[str, bool]] = MappingProxyType(
    {
        "flux-2/pro-text-to-image": ("pro", False),
        "flux-2/pro-image-to-image": ("pro", True),
        "flux-2/flex-text-to-image": ("flex", False),
        "flux-2/flex-image-to-image": ("flex", True),
    }
)
"""Each model's family and whether it takes references."""
ASPECT_RATIOS = ("1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3", "auto")
RESOLUTIONS = ("1K", "2K")
PROMPT_LENGTHS = range(3, 5001)
REFERENCE_COUNTS = range(1, 9)


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """An accepted request for one image. ``param`` is the request as recordInfo repeats it."""

    model: str
    prompt: str
    aspect_ratio: str
    resolution: str
    input_urls: tuple[str, ...]
    callback_url: str | None
    price: Decimal
    param: str


def parse_task_request(body: Json) -> TaskRequest:
    """Check a createTask body; raises KieError.

    As at KIE, a missing parameter gets code 500, and unknown fields are ignored.
    """
    if not isinstance(body, dict):
        raise KieError(400, "The request body is not a JSON object")
    model, inputs, callback = body.get("model"), body.get("input"), body.get("callBackUrl")
    if not isinstance(model, str) or not model:
        raise KieError(500, "model is required")
    if model not in MODELS:
        raise KieError(404, f"The model {model} does not exist")
    if not isinstance(inputs, dict):
        raise KieError(500, "input is required")
    if callback is not None and not isinstance(callback, str):
        raise KieError(422, "callBackUrl must be a string")
    family, takes_references = MODELS[model]
    prompt, aspect_ratio, resolution = (_required(inputs, name) for name in ("prompt", "aspect_ratio", "resolution"))
    urls = _required(inputs, "input_urls") if takes_references else []
    if not isinstance(prompt, str) or len(prompt) not in PROMPT_LENGTHS:
        raise KieError(422, "prompt must have 3 to 5000 characters")
    if not isinstance(aspect_ratio, str) or aspect_ratio not in ASPECT_RATIOS:
        raise KieError(422, "aspect_ratio must be one of " + ", ".join(ASPECT_RATIOS))
    if aspect_ratio == "auto" and not takes_references:
        raise KieError(422, "aspect_ratio auto needs an input image")
    if not isinstance(resolution, str) or resolution not in RESOLUTIONS:
        raise KieError(422, "resolution must be one of " + ", ".join(RESOLUTIONS))
    if not isinstance(inputs.get("nsfw_checker", False), bool):
        raise KieError(422, "nsfw_checker must be true or false")
    if not _are_texts(urls) or (takes_references and len(urls) not in REFERENCE_COUNTS):
        raise KieError(422, "input_urls must be a list of 1 to 8 addresses")
    return TaskRequest(
        model=model,
        prompt=prompt,
        aspect_ratio=aspect_ratio,
        resolution=resolution,
        input_urls=tuple(urls),
        callback_url=callback or None,
        price=PRICES[family, resolution],
        # The input is JSON inside JSON, as in KIE's live answers.
        param=json.dumps({**body, "input": json.dumps(inputs, ensure_ascii=False)}, ensure_ascii=False),
    )


def _required(inputs: dict[str, Json], name: str) -> Json:
    value = inputs.get(name)
    if value in (None, "", []):
        raise KieError(500, f"{name} is required")
    return value


def _are_texts(value: Json) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
