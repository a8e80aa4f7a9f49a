"""The rate limit on new tasks, checked against a server that counts calls somewhere between start and answer."""

import heapq

from hypothesis import given
from hypothesis import strategies as st

from bot.generation.rate_window import RateWindow

LIMIT, SECONDS = 20, 10.0


@given(
    calls=st.lists(
        st.tuples(
            st.floats(0, 15).map(lambda number: round(number, 3)),
            st.floats(0, 1),
            st.sampled_from([0.0, 0.0, 0.0, 0.5, 3.0]),
        ),
        min_size=21,
        max_size=90,
    )
)
def test_the_server_never_counts_more_than_the_limit(calls: list[tuple[float, float, float]]) -> None:
    """Each call: how long it takes, after which share of that the server counts it, and a pause before it."""
    window = RateWindow(LIMIT, SECONDS)
    now = 1000.0
    ends: list[float] = []
    counted: list[float] = []
    for seconds, share, pause in calls:
        now += pause
        while True:
            while ends and ends[0] <= now:
                window.end(heapq.heappop(ends))
            wait = window.wait(now)
            if wait == 0:
                break
            # A wait may be overtaken by the end of a call in flight; without one, only such an end can tell.
            now = min([now + wait] if wait is not None else [], default=ends[0] if ends else now)
        window.start()
        counted.append(now + share * seconds)
        heapq.heappush(ends, now + seconds)
    counted.sort()
    for first, too_many in zip(counted, counted[LIMIT:], strict=False):
        assert too_many - first >= SECONDS - 1e-6


def test_slots_are_released_in_order() -> None:
    window = RateWindow(2, 10.0)
    window.remember(-4.0)
    assert (window.wait(0.0), window.taken(0.0)) == (0, 1)
    window.start()
    assert (window.wait(0.0), window.taken(0.0)) == (6, 2)
    window.end(1.0)
    assert [window.wait(now) for now in (2.0, 6.0)] == [4, 0]
    window.start()
    assert window.wait(7.0) == 4
    window.start()
    assert window.wait(11.0) is None, "both slots are in flight"
