"""What may be asked of the four FLUX.2 models, what it costs, and how a wrong request is refused."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TypeGuard

from demo.kie.wire import Json, Refusal

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
ASPECT_RATIOS = ("1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3", "auto")
RESOLUTIONS = ("1K", "2K")
PROMPT_LENGTHS = range(3, 5001)
REFERENCE_COUNTS = range(1, 9)


@dataclass(frozen=True, slots=True)
class Order:
    """An accepted request for one picture. ``param`` is the request as recordInfo repeats it."""

    model: str
    prompt: str
    aspect_ratio: str
    resolution: str
    input_urls: tuple[str, ...]
    callback_url: str | None
    price: Decimal
    param: str


def read_order(body: Json) -> Order | Refusal:
    """Check a createTask body. As at KIE, a missing parameter is code 500 and fields unknown to it pass unseen."""
    if not isinstance(body, dict):
        return Refusal(400, "The request body is not a JSON object")
    model, inputs, callback = body.get("model"), body.get("input"), body.get("callBackUrl")
    if not isinstance(model, str) or not model:
        return Refusal(500, "model is required")
    if model not in MODELS:
        return Refusal(404, f"The model {model} does not exist")
    if not isinstance(inputs, dict):
        return Refusal(500, "input is required")
    if callback is not None and not isinstance(callback, str):
        return Refusal(422, "callBackUrl must be a string")
    family, with_references = MODELS[model]
    fault = _fault(inputs, with_references=with_references)
    if fault is not None:
        return fault
    resolution, urls = _text(inputs, "resolution"), inputs.get("input_urls")
    return Order(
        model=model,
        prompt=_text(inputs, "prompt"),
        aspect_ratio=_text(inputs, "aspect_ratio"),
        resolution=resolution,
        input_urls=tuple(urls) if with_references and _is_texts(urls) else (),
        callback_url=callback or None,
        price=PRICES[family, resolution],
        param=_param(body, inputs),
    )


def _fault(inputs: dict[str, Json], *, with_references: bool) -> Refusal | None:
    needed = ("prompt", "aspect_ratio", "resolution", *(("input_urls",) if with_references else ()))
    missing = next((name for name in needed if inputs.get(name) in (None, "", [])), None)
    if missing is not None:
        return Refusal(500, f"{missing} is required")
    prompt = inputs["prompt"]
    if not isinstance(prompt, str) or len(prompt) not in PROMPT_LENGTHS:
        return Refusal(422, "prompt must have 3 to 5000 characters")
    if inputs["aspect_ratio"] not in ASPECT_RATIOS:
        return Refusal(422, "aspect_ratio must be one of " + ", ".join(ASPECT_RATIOS))
    if inputs["aspect_ratio"] == "auto" and not with_references:
        return Refusal(422, "aspect_ratio auto needs an input image")
    if inputs["resolution"] not in RESOLUTIONS:
        return Refusal(422, "resolution must be one of " + ", ".join(RESOLUTIONS))
    if not isinstance(inputs.get("nsfw_checker", False), bool):
        return Refusal(422, "nsfw_checker must be true or false")
    urls = inputs.get("input_urls")
    if with_references and not (_is_texts(urls) and len(urls) in REFERENCE_COUNTS):
        return Refusal(422, "input_urls must be a list of 1 to 8 addresses")
    return None


def _param(body: dict[str, Json], inputs: dict[str, Json]) -> str:
    # The input is JSON inside JSON, as in the live answers.
    return json.dumps({**body, "input": json.dumps(inputs, ensure_ascii=False)}, ensure_ascii=False)


def _text(inputs: dict[str, Json], name: str) -> str:
    value = inputs[name]
    return value if isinstance(value, str) else ""


def _is_texts(value: Json) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
