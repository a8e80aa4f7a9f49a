"""The schema of createTask bodies accepts what is valid and names each mistake."""

from typing import Any

import pytest

from tests.kie.schema import MODELS, problems

TEXT_TO_IMAGE = [model for model in MODELS if model.endswith("text-to-image")]
IMAGE_TO_IMAGE = [model for model in MODELS if model.endswith("image-to-image")]
URL = "https://example.com/a.png"


def body(model: str, **changes: Any) -> dict[str, Any]:
    """A valid body with changes to its input; None removes a field."""
    fields: dict[str, Any] = {"prompt": "a lighthouse", "aspect_ratio": "1:1", "resolution": "1K", "nsfw_checker": True}
    if model in IMAGE_TO_IMAGE:
        fields["input_urls"] = [URL]
    return {"model": model, "input": {name: value for name, value in (fields | changes).items() if value is not None}}


@pytest.mark.parametrize("model", MODELS)
def test_valid_bodies(model: str) -> None:
    for changes in (
        {},
        {"prompt": "abc"},
        {"prompt": "🦊" * 5000},
        {"resolution": "2K"},
        {"aspect_ratio": "9:16"},
        {"nsfw_checker": False},
    ):
        assert problems(body(model, **changes)) == []
    assert (problems(body(model, aspect_ratio="auto")) == []) is (model in IMAGE_TO_IMAGE)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("prompt", ["ab", "p" * 5001, 123, None]),
        ("aspect_ratio", ["21:9", None]),
        ("resolution", ["4K", None]),
        ("nsfw_checker", ["true", 1, None]),
        ("seed", [7]),
        ("steps", [20]),
        ("guidance", [4.0]),
        ("callBackUrl", ["https://easel.example.com/"]),
    ],
)
def test_an_invalid_field_is_named(model: str, field: str, values: list[Any]) -> None:
    for value in values:
        (problem,) = problems(body(model, **{field: value}))
        assert problem.startswith((f"$.input.{field}", "$.input: "))
        assert field in problem


@pytest.mark.parametrize(
    ("urls", "valid"),
    [
        ([URL], True),
        ([URL] * 8, True),
        (["http://127.0.0.1:8080/uploads/a.png"], True),
        (None, False),
        ([], False),
        ([URL] * 9, False),
        (["http://example.com/a.png"], False),
        (["ftp://example.com/a.png"], False),
        (["https://example.com/a b.png"], False),
        (URL, False),
        ([{"url": URL}], False),
    ],
)
def test_references_are_one_to_eight_urls(urls: Any, valid: bool) -> None:
    for model in IMAGE_TO_IMAGE:
        assert (problems(body(model, input_urls=urls)) == []) is valid
    for model in TEXT_TO_IMAGE:
        assert (problems(body(model, input_urls=urls)) == []) is (urls is None)


@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        ({"steps": 1, "guidance": 1.5}, True),
        ({"steps": 50, "guidance": 10}, True),
        ({"steps": 0}, False),
        ({"steps": 51}, False),
        ({"steps": 2.5}, False),
        ({"guidance": 1.4}, False),
        ({"guidance": 10.1}, False),
    ],
)
def test_steps_and_guidance_are_for_flex_when_allowed(changes: dict[str, Any], valid: bool) -> None:
    for model in MODELS:
        assert (problems(body(model, **changes), controls=True) == []) is (valid and "flex" in model)


@pytest.mark.parametrize(
    ("url", "valid"),
    [
        ("https://easel.example.com/kie/callback/abc", True),
        ("http://127.0.0.1:8080/kie/callback/abc", True),
        ("http://localhost/kie/callback/abc", True),
        ("http://[::1]:8080/kie/callback/abc", True),
        ("http://easel.example.com/kie/callback/abc", False),
        ("http://127.0.0.1.example.com/", False),
        ("http://localhost.example.com/", False),
        ("https://user@easel.example.com/", False),
        ("https:///nowhere", False),
        ("easel.example.com", False),
        (None, False),
    ],
)
def test_the_callback_url_is_https_or_loopback(url: Any, valid: bool) -> None:
    assert (problems({**body(MODELS[0]), "callBackUrl": url}) == []) is valid


WRONG: list[Any] = [
    *(None, [], "text", {}),
    *({"model": model} for model in ("flux-2/max", 7, ["x"], MODELS[0])),
    *({**body(MODELS[0]), field: "a lighthouse"} for field in ("callbackUrl", "prompt")),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_not_a_createtask_body(wrong: Any) -> None:
    assert problems(wrong)
