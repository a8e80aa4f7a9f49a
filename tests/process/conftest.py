from collections.abc import AsyncGenerator
from pathlib import Path

import discord
import pytest

from tests.process.deployment import Deployment, open_deployment


@pytest.fixture
def granted() -> discord.Intents | None:
    """The intents that the developer portal grants; None for all of them."""
    return None


@pytest.fixture
async def deployment(tmp_path: Path, granted: discord.Intents | None) -> AsyncGenerator[Deployment]:
    async with open_deployment(tmp_path, granted) as deployment:
        yield deployment
