"""Ten thousand random commands, with all balances compared after every single one. Run by ``make soak-quota``."""

import pytest

from tests.store.quota_machine import run_machine


@pytest.mark.timeout(3600)
def test_ten_thousand_steps() -> None:
    run_machine(examples=125, steps=80)
