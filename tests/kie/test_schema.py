"""The schema of createTask bodies accepts what is valid and names each mistake."""

from typing import Any

import pytest

from tests.kie.schema import MODELS, problems

URL = "https://example.com/a.png"


def body(model: str, **changes: Any) -> dict[str, Any]:
    """A valid body with changes to its input; None removes a field."""
    fields: dict[str, Any] = {"prompt": "a lighthouse", "aspect_ratio": "1:1", "resolution": "1K", "nsfw_checker": True}
    if "image-to-image" in model:
        fields["input_urls"] = [URL]
    return {"model": model, "input": {name: value for name, value in (fields | changes).items() if value is not None}}


@pytest.mark.parametrize(
    ("field", "valid", "invalid"),
    [
        ("prompt", ["abc", "🦊" * 5000], ["ab", "p" * 5001, 123, None]),
        ("aspect_ratio", ["9:16"], ["21:9", None]),
        ("resolution", ["2K"], ["4K", None]),
        ("nsfw_checker", [False], ["true", 1, None]),
        ("seed", [], [7]),
        ("steps", [], [20]),
        ("guidance", [], [4.0]),
        ("callBackUrl", [], ["https://easel.example.com/"]),
    ],
)
def test_every_field_is_checked(field: str, valid: list[Any], invalid: list[Any]) -> None:
    for model in MODELS:
        assert problems(body(model)) == []
        for value in valid:
            assert problems(body(model, **{field: value})) == []
        for value in invalid:
            (problem,) = problems(body(model, **{field: value}))
            assert problem.startswith((f"$.input.{field}", "$.input: "))
            assert field in problem


def test_references_are_one_to_eight_urls() -> None:
    valid = ([URL], [URL] * 8, ["http://127.0.0.1:8080/uploads/a.png"])
    hosts = ("http://example.com/a.png", "ftp://example.com/a.png", "https://example.com/a b.png")
    invalid: list[Any] = [None, [], [URL] * 9, *([url] for url in hosts), URL, [{"url": URL}]]
    for model in MODELS:
        with_references = "image-to-image" in model
        assert (problems(body(model, aspect_ratio="auto")) == []) is with_references
        assert all((problems(body(model, input_urls=urls)) == []) is with_references for urls in valid)
        assert all(problems(body(model, input_urls=urls)) for urls in invalid if with_references or urls is not None)


def test_steps_and_guidance_are_for_flex_when_allowed() -> None:
    valid = ({"steps": 1, "guidance": 1.5}, {"steps": 50, "guidance": 10})
    invalid = ({"steps": 0}, {"steps": 51}, {"steps": 2.5}, {"guidance": 1.4}, {"guidance": 10.1})
    for model in MODELS:
        for changes in valid:
            assert (problems(body(model, **changes), controls=True) == []) is ("flex" in model)
        assert all(problems(body(model, **changes), controls=True) for changes in invalid)


@pytest.mark.parametrize(
    ("url", "valid"),
    [
        *((f"{start}/kie/callback/abc", True) for start in ("https://easel.example.com", "http://127.0.0.1:8080")),
        *((f"{start}/kie/callback/abc", True) for start in ("http://localhost", "http://[::1]:8080")),
        *((f"http://{host}/", False) for host in ("a.example.com", "127.0.0.1.example.com", "localhost.example.com")),
        *((url, False) for url in ("https://user@easel.example.com/", "https:///nowhere", "easel.example.com", None)),
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
