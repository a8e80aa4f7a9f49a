"""A schema of createTask bodies, stricter than KIE, which silently ignores unknown fields."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from demo.kie import Json, KieStandIn, RecordedRequest

MODELS = (
    "flux-2/pro-text-to-image",
    "flux-2/pro-image-to-image",
    "flux-2/flex-text-to-image",
    "flux-2/flex-image-to-image",
)

_RATIOS = ("1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3")
# Unencrypted http is for loopback addresses only.
_URL = r"^(https://[^\s/@?#]+|http://(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d{1,5})?)([/?#]\S*)?$"


def problems(body: Json, *, controls: bool = False) -> list[str]:
    """Every mistake in a createTask body; empty when it is valid.

    ``controls`` allows steps and guidance for flex, which KIE's own schema does not list.
    """
    if not isinstance(body, dict):
        return ["the body is not an object"]
    model = body.get("model")
    if not isinstance(model, str) or model not in MODELS:
        return [f"model: {model!r} is not one of the four"]
    errors = Draft202012Validator(_schema(model, controls=controls)).iter_errors(body)
    return sorted(f"{error.json_path}: {error.message}" for error in errors)


def created(kie: KieStandIn) -> list[RecordedRequest]:
    """Every createTask that the stand-in received, successful or not."""
    return [call for call in kie.requests if call.path == "/api/v1/jobs/createTask"]


def caused(kie: KieStandIn) -> list[RecordedRequest]:
    """Every call that a request of a member caused: all but the periodic balance checks."""
    return [call for call in kie.requests if call.path != "/api/v1/chat/credit"]


def check_all(kie: KieStandIn, *, controls: bool = False) -> None:
    """Assert that every createTask the stand-in received was valid JSON for its model."""
    for number, call in enumerate(created(kie), start=1):
        assert call.method == "POST", f"createTask {number} is a {call.method}"
        content_type = call.headers.get("Content-Type", "")
        assert content_type.partition(";")[0] == "application/json", f"createTask {number} is {content_type!r}"
        assert problems(call.json, controls=controls) == [], f"createTask {number} is invalid: {call.json}"


def _schema(model: str, *, controls: bool) -> Mapping[str, Any]:
    with_references = model.endswith("image-to-image")
    fields: dict[str, Any] = {
        "prompt": {"type": "string", "minLength": 3, "maxLength": 5000},
        "aspect_ratio": {"enum": [*_RATIOS, "auto"] if with_references else [*_RATIOS]},
        "resolution": {"enum": ["1K", "2K"]},
        "nsfw_checker": {"type": "boolean"},
    }
    if with_references:
        url = {"type": "string", "pattern": _URL}
        fields["input_urls"] = {"type": "array", "items": url, "minItems": 1, "maxItems": 8}
    required = list(fields)
    if controls and "/flex-" in model:
        fields["steps"] = {"type": "integer", "minimum": 1, "maximum": 50}
        fields["guidance"] = {"type": "number", "minimum": 1.5, "maximum": 10}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["model", "input"],
        "properties": {
            "model": {"const": model},
            "callBackUrl": {"type": "string", "pattern": _URL},
            "input": {"type": "object", "additionalProperties": False, "required": required, "properties": fields},
        },
    }
