from collections.abc import AsyncGenerator
from pathlib import Path

import discord
import pytest

from tests.process.studio import Studio, open_studio


@pytest.fixture
def granted() -> discord.Intents | None:
    """What the developer portal grants; None for everything."""
    return None


@pytest.fixture
async def studio(tmp_path: Path, granted: discord.Intents | None) -> AsyncGenerator[Studio]:
    async with open_studio(tmp_path, granted) as studio:
        yield studio
