"""The commands as Discord is told of them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import discord
import pytest

from demo.kie import KieStandIn
from tests.stories.stage import Circumstances, open_stage

_NAME = re.compile(r"[a-z0-9_-]{1,32}")
_VERBS = {"Make", "Show", "Decide", "Set", "Remove", "Give", "Let", "Cap"}
_SLASH, _MESSAGE = 1, 3
_SUBCOMMANDS = {1, 2}


@pytest.fixture(params=[False, True], ids=["plain", "flex controls"])
async def definitions(request: pytest.FixtureRequest, tmp_path: Path) -> list[dict[str, Any]]:
    """Every definition, as the bot sends it at its first start."""
    circumstances = Circumstances(flex_controls=bool(request.param))
    async with KieStandIn() as kie, open_stage(tmp_path, kie, circumstances) as stage:
        (told,) = stage.sent("PUT", "/commands")
    return cast("list[dict[str, Any]]", told.json)


@pytest.fixture
def commands(definitions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that are typed."""
    return [one for one in definitions if one.get("type", _SLASH) == _SLASH]


def test_the_message_menu_has_one_entry(definitions: list[dict[str, Any]]) -> None:
    (entry,) = [one for one in definitions if one.get("type", _SLASH) != _SLASH]

    assert (entry["type"], entry["name"]) == (_MESSAGE, "Edit image")
    assert not entry.get("description")
    assert not entry.get("options")


def test_names_are_lower_case_words(commands: list[dict[str, Any]]) -> None:
    for name in (one["name"] for one in [*commands, *options(commands)]):
        assert _NAME.fullmatch(name), name


def test_commands_say_what_they_do(commands: list[dict[str, Any]]) -> None:
    subcommands = [one for one in options(commands) if one["type"] in _SUBCOMMANDS]
    for command in [*commands, *subcommands]:
        assert command["description"].split()[0] in _VERBS, command["name"]


def test_descriptions_fit(commands: list[dict[str, Any]]) -> None:
    for one in [*commands, *options(commands)]:
        description = one["description"]
        assert 1 <= len(description) <= 100, one["name"]
        assert description != "…", f"{one['name']} is not described"
        assert description[0].isupper() or one["name"] in {"steps", "guidance"}, one["name"]
        assert not description.endswith("."), one["name"]


def test_choices_fit(commands: list[dict[str, Any]]) -> None:
    offered = [option["choices"] for option in options(commands) if option.get("choices")]

    assert len(offered) > 3
    for choices in offered:
        assert 2 <= len(choices) <= 25
        assert len({choice["value"] for choice in choices}) == len(choices)
        assert all(1 <= len(choice["name"]) <= 100 for choice in choices)


def test_an_option_more_than_discord_takes_is_never_offered(commands: list[dict[str, Any]]) -> None:
    for command in [*commands, *options(commands)]:
        inside: list[dict[str, Any]] = command.get("options") or []
        assert len(inside) <= 25
        required = [bool(option.get("required")) for option in inside]
        assert required == sorted(required, reverse=True)


def test_a_definition_is_no_longer_than_discord_takes(commands: list[dict[str, Any]]) -> None:
    for command in commands:
        everything = [command, *options([command])]
        words = [str(one[part]) for one in everything for part in ("name", "description")]
        for one in everything:
            choices: list[dict[str, Any]] = one.get("choices") or []
            words += [str(choice[part]) for choice in choices for part in ("name", "value")]
        assert sum(map(len, words)) <= 8000, command["name"]


def test_quotas_are_offered_to_those_who_manage_a_server(commands: list[dict[str, Any]]) -> None:
    (quota,) = [command for command in commands if command["name"] == "quota"]

    assert int(quota["default_member_permissions"]) == discord.Permissions(manage_guild=True).value
    assert quota["dm_permission"] is False
    others = [command for command in commands if command["name"] != "quota"]
    assert all(command["default_member_permissions"] is None for command in others)


def test_imagine_needs_a_prompt_and_nothing_else(commands: list[dict[str, Any]]) -> None:
    imagine = next(command for command in commands if command["name"] == "imagine")
    names = [option["name"] for option in imagine["options"] if option.get("required")]

    assert names == ["prompt"]
    prompt = imagine["options"][0]
    assert (prompt["min_length"], prompt["max_length"]) == (3, 5000)


def options(commands: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every option of every command, those of subcommands too."""
    for command in commands:
        inside: list[dict[str, Any]] = command.get("options") or []
        for option in inside:
            yield option
            if option["type"] in _SUBCOMMANDS:
                yield from options([option])
