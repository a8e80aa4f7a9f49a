"""Every test fails when something secret is printed or logged meanwhile."""

import gc
from collections.abc import Generator

import pytest

from tests.database import stop_server
from tests.leaks import LeakWatch

_WATCH = pytest.StashKey[LeakWatch]()


def pytest_collection_finish() -> None:
    """Spare garbage collections what lives as long as the run; with it they took half of the time of some tests."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """End what tests share."""
    stop_server()


@pytest.fixture(autouse=True)
def watch(request: pytest.FixtureRequest) -> Generator[LeakWatch, None, None]:
    """Records the test's prompts and the bot's log entries, which are searched after the test's teardown."""
    watch = LeakWatch()
    request.node.stash[_WATCH] = watch
    with pytest.MonkeyPatch.context() as patch:
        watch.begin(patch)
        yield watch


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose output, teardown included, contains something secret."""
    report = yield
    watch = item.stash.get(_WATCH, None)
    if call.when == "teardown" and watch is not None and item.get_closest_marker("prints_secrets") is None:
        leaks = watch.leaks(content for _, content in report.sections)
        if leaks and report.passed:
            report.outcome = "failed"
            report.longrepr = "\n".join(["this must not be printed or logged:", *leaks])
    return report
