"""Whatever is commanded, in whatever order, across clock changes: books kept beside the store agree with it."""

from pathlib import Path

import pytest

from tests.store.quota_life import live


@pytest.mark.timeout(600)  # a failure is worth the time that making it small takes
def test_any_life_agrees_with_books_kept_beside_it(tmp_path: Path) -> None:
    told = live(tmp_path, examples=5, steps=40, every=5)
    assert told["accepted"]
