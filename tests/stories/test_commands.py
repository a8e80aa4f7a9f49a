"""Which commands Discord is told, and when."""

from pathlib import Path

from demo.kie import KieStandIn
from tests.stories.stage import Circumstances, Stage, open_stage


async def test_members_find_the_commands(stage: Stage) -> None:
    assert sorted(stage.bob.available_commands(stage.channel)) == ["balance", "imagine"]
    assert sorted(stage.bob.user.available_commands()) == ["balance", "imagine"]


async def test_commands_are_told_only_when_they_changed(kie: KieStandIn, tmp_path: Path) -> None:
    for circumstances, told in [
        (Circumstances(), 1),
        (Circumstances(), 0),
        (Circumstances(flex_controls=True), 1),
        (Circumstances(flex_controls=True), 0),
        (Circumstances(), 1),
    ]:
        async with open_stage(tmp_path, kie, circumstances) as stage:
            assert len(stage.sent("PUT", "/commands")) == told
