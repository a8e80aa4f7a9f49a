from collections.abc import AsyncGenerator

import pytest

from tests.ui.sights import Sights, open_sights


@pytest.fixture
async def sights() -> AsyncGenerator[Sights, None]:
    async with open_sights() as one:
        yield one
