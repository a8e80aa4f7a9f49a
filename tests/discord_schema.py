"""Checks what a bot sends against Discord's own description of its API."""

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
    """Where Discord takes more than its file says: a component's schema is widened by `also`, for `reason`."""

    component: str
    also: dict[str, Any]
    reason: str


TOLERANCES = (
    Tolerance(
        component="SnowflakeType",
        also={"type": "integer", "minimum": 0},
        reason="discord.py numbers uploads, and names replied-to messages, with JSON numbers; Discord takes them.",
    ),
    Tolerance(
        component="ChannelTypes",
        also={"const": 16},
        reason="Discord's documentation has media channels as type 16; discord.py offers them along with forums.",
    ),
)


@dataclass(frozen=True, slots=True)
class _Operation:
    """One method of one path: the address of its body's schema, None where it takes no body."""

    body: str | None
    body_required: bool


@final
class DiscordSchema:
    """Discord's OpenAPI document, ready to judge requests. A route's validator is built at its first use."""

    def __init__(self, document: dict[str, Any]) -> None:
        for tolerance in TOLERANCES:
            schemas = document["components"]["schemas"]
            schemas[tolerance.component] = {"anyOf": [schemas[tolerance.component], tolerance.also]}
        self._paths: dict[str, dict[str, Any]] = document["paths"]
        resource: Resource[Any] = Resource.from_contents(document, default_specification=DRAFT202012)
        registry: Registry[Any] = Registry()
        self._registry = registry.with_resource(_DOCUMENT, resource)
        self._validators: dict[str, Draft202012Validator] = {}
        # Judges a hundred times as fast, but its words are for whoever knows the schema by heart.
        self._judges: dict[str, jsonschema_rs.Draft202012Validator] = {}
        self._document = jsonschema_rs.Registry([(_DOCUMENT, document)], draft=jsonschema_rs.Draft202012)

    @classmethod
    def load(cls) -> Self | None:
        """Read the file that EASEL_DISCORD_OPENAPI names, else the one beside the project; None without one."""
        file = Path(os.environ.get(_VARIABLE) or _BESIDE_THE_PROJECT)
        return cls(json.loads(file.read_bytes())) if file.is_file() else None

    def problems(self, method: str, path: str, body: Any) -> list[str]:
        """What is wrong with a request, a line for each thing; `body` is its JSON, None if it has none."""
        where = f"{method} {path}"
        operation = self._find(HTTPMethod(method.upper()), path)
        if operation is None:
            return [f"{where}: Discord has no such route"]
        if body is None:
            return [f"{where}: a body is missing"] if operation.body_required else []
        if operation.body is None:
            return [f"{where}: no body is allowed here"]
        if self._judge(operation.body).is_valid(body):
            return []
        errors = self._validator(operation.body).iter_errors(body)
        return [f"{where}: {line}" for error in errors for line in _explained(error)]

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

    def _judge(self, address: str) -> jsonschema_rs.Draft202012Validator:
        if address not in self._judges:
            judge = jsonschema_rs.Draft202012Validator({"$ref": address}, registry=self._document)
            self._judges[address] = judge
        return self._judges[address]

    def _validator(self, address: str) -> Draft202012Validator:
        if address not in self._validators:
            self._validators[address] = Draft202012Validator({"$ref": address}, registry=self._registry)
        return self._validators[address]


def problems_of(method: str, path: str, body: Any) -> tuple[str, ...]:
    """What Discord's description finds wrong with a request; nothing where there is no such file.

    Every bot of a test run sends the same command definitions, and judging those takes half a second: each request is
    judged once.
    """
    return _judged(method, path, json.dumps(body, sort_keys=True))


@cache
def _judged(method: str, path: str, body: str) -> tuple[str, ...]:
    schema = _loaded()
    return () if schema is None else tuple(schema.problems(method, path, json.loads(body)))


@cache
def _loaded() -> DiscordSchema | None:
    return DiscordSchema.load()


def _segments(path: str) -> list[str]:
    return [unquote(segment) for segment in path.strip("/").split("/")]


def _fits(template: list[str], segments: list[str]) -> bool:
    return len(template) == len(segments) and all(
        (expected.startswith("{") and found != "") or expected == found
        for expected, found in zip(template, segments, strict=True)
    )


def _escaped(step: str) -> str:
    """A step of a JSON pointer inside the fragment of an address."""
    return step.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


def _explained(error: ValidationError) -> Iterator[str]:
    """The error in words; for a choice of schemas, the errors of the one that was most likely meant."""
    if error.validator not in ("oneOf", "anyOf") or not error.context:
        yield f"{error.json_path}: {_shortened(error.message)}"
        return
    branches: defaultdict[Any, list[ValidationError]] = defaultdict(list)
    for cause in error.context:
        branches[cause.schema_path[0]].append(cause)
    meant = min(branches.values(), key=_unlikelihood)
    if any(_is_about_kind(cause) for cause in meant):
        instance = cast("dict[str, Any]", error.instance)
        yield f"{error.json_path}.type: {instance['type']!r} is none of the types allowed here"
        return
    for cause in meant:
        yield from _explained(cause)


def _unlikelihood(branch: list[ValidationError]) -> tuple[bool, bool, bool, int]:
    """How unlikely it is that a sender meant this branch: the JSON type, then the `type` field, tell most."""
    of_whole = [cause for cause in branch if cause.validator == "type" and not cause.relative_path]
    return (
        bool(of_whole),
        any(cause.validator_value == "null" for cause in of_whole),
        any(_is_about_kind(cause) for cause in branch),
        len(branch),
    )


def _is_about_kind(cause: ValidationError) -> bool:
    return list(cause.relative_path) == ["type"]


def _shortened(message: str) -> str:
    if len(message) <= _LONGEST_MESSAGE:
        return message
    half = _LONGEST_MESSAGE // 2
    return f"{message[:half]} … {message[-half:]}"
