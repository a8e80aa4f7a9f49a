"""Where the names in prompts come from."""

from types import SimpleNamespace
from typing import Any, cast

from bot.ui.prompts import typed_prompt


def test_the_names_that_discord_sends_along_are_used() -> None:
    resolved = {
        "users": {"1": {"username": "alice_1", "global_name": "Alice"}, "2": {"username": "bob"}, "3": {}},
        "members": {"1": {"nick": "Ally"}, "2": {"nick": None}},
        "roles": {"4": {"name": "painters"}},
        "channels": {"5": {"name": "studio"}},
    }
    interaction = cast(
        "Any",
        SimpleNamespace(data={"resolved": resolved}, guild=None, user=SimpleNamespace(id=9, display_name="the author")),
    )

    words = typed_prompt(interaction, "<@1> <@2> <@3> <@&4> <#5> <@9> <#1>")

    assert words == "Ally bob someone painters studio the author a channel"
