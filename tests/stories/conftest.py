from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from demo.kie import KieStandIn
from tests.stories.stage import Circumstances, Stage, open_stage


@pytest.fixture
async def kie() -> AsyncGenerator[KieStandIn, None]:
    async with KieStandIn(durations=0.05, shrink=4) as kie:
        yield kie


@pytest.fixture
def circumstances() -> Circumstances:
    return Circumstances()


@pytest.fixture
async def stage(kie: KieStandIn, tmp_path: Path, circumstances: Circumstances) -> AsyncGenerator[Stage, None]:
    async with open_stage(tmp_path, kie, circumstances) as stage:
        yield stage
