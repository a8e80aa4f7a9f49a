"""The schema itself: it lets through what is right, and names each thing that is wrong."""

import copy
from typing import Any

import pytest

from tests.kie.schema import MODELS, problems


def body(model: str = "flux-2/pro-text-to-image", **changes: Any) -> dict[str, Any]:
    """A valid body with changes to its input; None takes a field out."""
    given: dict[str, Any] = {
        "prompt": "a lighthouse",
        "aspect_ratio": "1:1",
        "resolution": "1K",
        "nsfw_checker": True,
    }
    if model.endswith("image-to-image"):
        given["input_urls"] = ["https://example.com/a.png"]
    given |= changes
    return {"model": model, "input": {name: value for name, value in given.items() if value is not None}}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"prompt": "abc"},
        {"prompt": "p" * 5000},
        {"prompt": "🦊" * 5000},
        {"resolution": "2K"},
        {"aspect_ratio": "9:16"},
        {"nsfw_checker": False},
    ],
    ids=str,
)
def test_what_each_model_takes_is_valid(model: str, changes: dict[str, Any]) -> None:
    assert problems(body(model, **changes)) == []


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"prompt": "ab"}, "$.input.prompt"),
        ({"prompt": "p" * 5001}, "$.input.prompt"),
        ({"prompt": 123}, "$.input.prompt"),
        ({"prompt": None}, "$.input: 'prompt'"),
        ({"aspect_ratio": "21:9"}, "$.input.aspect_ratio"),
        ({"aspect_ratio": None}, "$.input: 'aspect_ratio'"),
        ({"resolution": "4K"}, "$.input.resolution"),
        ({"resolution": None}, "$.input: 'resolution'"),
        ({"nsfw_checker": "true"}, "$.input.nsfw_checker"),
        ({"nsfw_checker": 1}, "$.input.nsfw_checker"),
        ({"nsfw_checker": None}, "$.input: 'nsfw_checker'"),
        ({"seed": 7}, "$.input: Additional"),
        ({"steps": 20}, "$.input: Additional"),
        ({"guidance": 4.0}, "$.input: Additional"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_no_model_takes_is_named(model: str, changes: dict[str, Any], where: str) -> None:
    found = problems(body(model, **changes))
    assert len(found) == 1
    assert found[0].startswith(where)


@pytest.mark.parametrize("model", [model for model in MODELS if model.endswith("image-to-image")])
@pytest.mark.parametrize(
    ("urls", "valid"),
    [
        (["https://example.com/a.png"], True),
        (["https://example.com/a.png"] * 8, True),
        (["http://127.0.0.1:8080/uploads/a.png"], True),
        (None, False),
        ([], False),
        (["https://example.com/a.png"] * 9, False),
        (["http://example.com/a.png"], False),
        (["ftp://example.com/a.png"], False),
        (["https://example.com/a b.png"], False),
        ("https://example.com/a.png", False),
        ([{"url": "https://example.com/a.png"}], False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_references_are_one_to_eight_addresses(model: str, urls: Any, valid: bool) -> None:
    assert (problems(body(model, input_urls=urls)) == []) is valid


@pytest.mark.parametrize("model", [model for model in MODELS if model.endswith("text-to-image")])
def test_text_to_image_takes_no_references_and_no_auto(model: str) -> None:
    assert problems(body(model, input_urls=["https://example.com/a.png"]))
    assert problems(body(model, aspect_ratio="auto"))


@pytest.mark.parametrize("model", [model for model in MODELS if model.endswith("image-to-image")])
def test_auto_is_for_references(model: str) -> None:
    assert problems(body(model, aspect_ratio="auto")) == []


@pytest.mark.parametrize(
    ("model", "changes", "valid"),
    [
        ("flux-2/flex-text-to-image", {"steps": 1, "guidance": 1.5}, True),
        ("flux-2/flex-image-to-image", {"steps": 50, "guidance": 10}, True),
        ("flux-2/flex-text-to-image", {"steps": 0}, False),
        ("flux-2/flex-text-to-image", {"steps": 51}, False),
        ("flux-2/flex-text-to-image", {"steps": 2.5}, False),
        ("flux-2/flex-text-to-image", {"guidance": 1.4}, False),
        ("flux-2/flex-text-to-image", {"guidance": 10.1}, False),
        ("flux-2/pro-text-to-image", {"steps": 20}, False),
        ("flux-2/pro-image-to-image", {"guidance": 4}, False),
    ],
    ids=str,
)
def test_steps_and_guidance_are_for_flex_when_allowed(model: str, changes: dict[str, Any], valid: bool) -> None:
    assert (problems(body(model, **changes), controls=True) == []) is valid


@pytest.mark.parametrize(
    ("address", "valid"),
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
def test_the_callback_is_https_or_on_this_machine(address: Any, valid: bool) -> None:
    assert (problems({**body(), "callBackUrl": address}) == []) is valid


@pytest.mark.parametrize("wrong", [None, [], "text", {}, {"model": "flux-2/max"}, {"model": 7}, {"model": ["x"]}])
def test_what_is_no_order_at_all(wrong: Any) -> None:
    assert problems(wrong)


@pytest.mark.parametrize("model", MODELS)
def test_a_field_in_the_wrong_place_is_named(model: str) -> None:
    assert problems({**body(model), "callbackUrl": "https://easel.example.com/"})
    assert problems({**body(model), "prompt": "a lighthouse"})
    assert problems({"model": model})
    assert problems(body(model, callBackUrl="https://easel.example.com/"))


def test_looking_changes_nothing() -> None:
    given = body("flux-2/pro-image-to-image", seed=1)
    before = copy.deepcopy(given)
    problems(given)
    assert given == before
