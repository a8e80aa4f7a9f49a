from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from demo.kie import KieStandIn
from tests.stories.operator_setup import OperatorSetup
from tests.stories.restartable_bot import BotOptions
from tests.stories.story_world import StoryWorld, open_world


@pytest.fixture
async def kie() -> AsyncGenerator[KieStandIn, None]:
    async with KieStandIn(durations=0.05, shrink=4) as kie:
        yield kie


@pytest.fixture
def bot_options() -> BotOptions:
    return BotOptions()


@pytest.fixture
async def world(kie: KieStandIn, tmp_path: Path, bot_options: BotOptions) -> AsyncGenerator[StoryWorld, None]:
    async with open_world(tmp_path, kie, bot_options) as world:
        yield world


@pytest.fixture
def ops(world: StoryWorld) -> OperatorSetup:
    return OperatorSetup(world)
