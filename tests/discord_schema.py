"""Checks what the bot sends against Discord's OpenAPI document."""

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from http import HTTPMethod
from pathlib import Path
from typing import Any, Self, cast, final
from urllib.parse import unquote

import jsonschema_rs
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_VARIABLE = "EASEL_DISCORD_OPENAPI"
_BESIDE_THE_PROJECT = Path(__file__).parents[2] / "shared" / "reference" / "discord-openapi.json"
_DOCUMENT = "urn:discord"
_LONGEST_MESSAGE = 160


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Where Discord accepts more than its document says: `also` is added to a component's schema, for `reason`."""

    component: str
    also: dict[str, Any]
    reason: str


TOLERANCES = (
    Tolerance(
        component="SnowflakeType",
        also={"type": "integer", "minimum": 0},
        reason="discord.py sends the ids of uploads and of replied-to messages as JSON numbers, which Discord accepts.",
    ),
    Tolerance(
        component="ChannelTypes",
        also={"const": 16},
        reason="Discord documents media channels as type 16; discord.py offers them together with forums.",
    ),
)


@dataclass(frozen=True, slots=True)
class _Operation:
    """One method of one path; `body` is the address of the body's schema, None if it takes no body."""

    body: str | None
    body_required: bool


@final
class DiscordSchema:
    """Validates requests against Discord's OpenAPI document. A route's validator is built at its first use."""

    def __init__(self, document: dict[str, Any]) -> None:
        for tolerance in TOLERANCES:
            schemas = document["components"]["schemas"]
            schemas[tolerance.component] = {"anyOf": [schemas[tolerance.component], tolerance.also]}
        self._paths: dict[str, dict[str, Any]] = document["paths"]
        resource: Resource[Any] = Resource.from_contents(document, default_specification=DRAFT202012)
        registry: Registry[Any] = Registry()
        self._registry = registry.with_resource(_DOCUMENT, resource)
        self._validators: dict[str, Draft202012Validator] = {}
        # A hundred times faster, but its error messages are hard to understand.
        self._fast_validators: dict[str, jsonschema_rs.Draft202012Validator] = {}
        self._fast_registry = jsonschema_rs.Registry([(_DOCUMENT, document)], draft=jsonschema_rs.Draft202012)

    @classmethod
    def load(cls) -> Self | None:
        """Read the file named by EASEL_DISCORD_OPENAPI, or the one beside the project; None if there is none."""
        file = Path(os.environ.get(_VARIABLE) or _BESIDE_THE_PROJECT)
        return cls(json.loads(file.read_bytes())) if file.is_file() else None

    def problems(self, method: str, path: str, body: Any) -> list[str]:
        """The mistakes in a request, one line each; `body` is its JSON, or None."""
        where = f"{method} {path}"
        operation = self._find(HTTPMethod(method.upper()), path)
        if operation is None:
            return [f"{where}: Discord has no such route"]
        if body is None:
            return [f"{where}: the body is missing"] if operation.body_required else []
        if operation.body is None:
            return [f"{where}: no body is allowed here"]
        if self._fast_validator(operation.body).is_valid(body):
            return []
        errors = self._validator(operation.body).iter_errors(body)
        return [f"{where}: {line}" for error in errors for line in _explain(error)]

    def _find(self, method: HTTPMethod, path: str) -> _Operation | None:
        segments = _segments(re.sub(r"^(https?://[^/]+)?(/api(/v\d+)?)?", "", path).split("?")[0])
        templates = [
            template
            for template, methods in self._paths.items()
            if method.lower() in methods and _fits(_segments(template), segments)
        ]
        if not templates:
            return None
        template = min(templates, key=lambda fitting: fitting.count("{"))
        return self._operation(template, method)

    def _operation(self, template: str, method: HTTPMethod) -> _Operation:
        request: dict[str, Any] | None = self._paths[template][method.lower()].get("requestBody")
        if request is None:
            return _Operation(body=None, body_required=False)
        content: dict[str, Any] = request["content"]
        kind = "application/json" if "application/json" in content else next(iter(content))
        steps = ("paths", template, method.lower(), "requestBody", "content", kind, "schema")
        return _Operation(f"{_DOCUMENT}#/{'/'.join(map(_escaped, steps))}", bool(request.get("required")))

    def _fast_validator(self, address: str) -> jsonschema_rs.Draft202012Validator:
        if address not in self._fast_validators:
            validator = jsonschema_rs.Draft202012Validator({"$ref": address}, registry=self._fast_registry)
            self._fast_validators[address] = validator
        return self._fast_validators[address]

    def _validator(self, address: str) -> Draft202012Validator:
        if address not in self._validators:
            self._validators[address] = Draft202012Validator({"$ref": address}, registry=self._registry)
        return self._validators[address]


def problems_of(method: str, path: str, body: Any) -> tuple[str, ...]:
    """The mistakes in a request; empty if Discord's document is not available.

    Results are cached: every bot of a test run sends the same command definitions, which take half a second to check.
    """
    return _cached_problems(method, path, json.dumps(body, sort_keys=True))


@cache
def _cached_problems(method: str, path: str, body: str) -> tuple[str, ...]:
    schema = _cached_schema()
    return () if schema is None else tuple(schema.problems(method, path, json.loads(body)))


@cache
def _cached_schema() -> DiscordSchema | None:
    return DiscordSchema.load()


def _segments(path: str) -> list[str]:
    return [unquote(segment) for segment in path.strip("/").split("/")]


def _fits(template: list[str], segments: list[str]) -> bool:
    return len(template) == len(segments) and all(
        (expected.startswith("{") and segment != "") or expected == segment
        for expected, segment in zip(template, segments, strict=True)
    )


def _escaped(step: str) -> str:
    """A step of a JSON pointer, escaped for the fragment of a URL."""
    return step.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


def _explain(error: ValidationError) -> Iterator[str]:
    """The error in words; for a choice of schemas, the errors of the one that was most likely intended."""
    if error.validator not in ("oneOf", "anyOf") or not error.context:
        yield f"{error.json_path}: {_shorten(error.message)}"
        return
    branches: defaultdict[Any, list[ValidationError]] = defaultdict(list)
    for cause in error.context:
        branches[cause.schema_path[0]].append(cause)
    intended = min(branches.values(), key=_unlikelihood)
    if any(_is_about_kind(cause) for cause in intended):
        instance = cast("dict[str, Any]", error.instance)
        yield f"{error.json_path}.type: {instance['type']!r} is not one of the types allowed here"
        return
    for cause in intended:
        yield from _explain(cause)


def _unlikelihood(branch: list[ValidationError]) -> tuple[bool, bool, bool, int]:
    """How unlikely it is that the sender intended this branch: first by the JSON type, then by the `type` field."""
    of_whole = [cause for cause in branch if cause.validator == "type" and not cause.relative_path]
    return (
        bool(of_whole),
        any(cause.validator_value == "null" for cause in of_whole),
        any(_is_about_kind(cause) for cause in branch),
        len(branch),
    )


def _is_about_kind(cause: ValidationError) -> bool:
    return list(cause.relative_path) == ["type"]


def _shorten(message: str) -> str:
    if len(message) <= _LONGEST_MESSAGE:
        return message
    half = _LONGEST_MESSAGE // 2
    return f"{message[:half]} … {message[-half:]}"
