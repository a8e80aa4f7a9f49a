from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.process.studio import Studio, open_studio


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncGenerator[Studio]:
    async with open_studio(tmp_path) as studio:
        yield studio
