"""Whatever is done, in whatever order, across clock changes: the store agrees with a model of it."""

import pytest

from tests.store.quota_machine import run_machine


@pytest.mark.timeout(600)  # shrinking a failure takes long
def test_ledger_and_balances_agree_with_the_model() -> None:
    run_machine(examples=5, steps=40)
