from collections.abc import AsyncGenerator

import pytest

from tests.ui.messages import MessageMaker, open_messages


@pytest.fixture
async def messages() -> AsyncGenerator[MessageMaker, None]:
    async with open_messages() as messages:
        yield messages
