"""What holds for every test: nothing secret is printed or logged meanwhile."""

from collections.abc import Generator

import pytest

from tests.leaks import Watch

_WATCH = pytest.StashKey[Watch]()


@pytest.fixture(autouse=True)
def watch(request: pytest.FixtureRequest) -> Generator[Watch, None, None]:
    """Notes what the test asks for and what the bot logs; its output is looked at when all is over."""
    watch = Watch()
    request.node.stash[_WATCH] = watch
    with pytest.MonkeyPatch.context() as patch:
        watch.begin(patch)
        yield watch


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose output, teardown included, tells what it may not."""
    report = yield
    watch = item.stash.get(_WATCH, None)
    if call.when == "teardown" and watch is not None and item.get_closest_marker("prints_secrets") is None:
        leaks = watch.leaks(content for _, content in report.sections)
        if leaks and report.passed:
            report.outcome = "failed"
            report.longrepr = "\n".join(["this was printed or logged, and may not be:", *leaks])
    return report
