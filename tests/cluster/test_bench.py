"""A short version of `make bench-cluster`."""

import pytest

from tests.bench.cluster import ClusterOptions, ClusterRound, compare, report, shortfalls

SHORT = ClusterOptions(rounds=1, rate=5, seconds=1, burst=8, distance=20, setups=("sqlite-1", "distant-3"))


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_every_setup_acknowledges_accepts_and_delivers_all(capsys: pytest.CaptureFixture[str]) -> None:
    rounds = await compare(SHORT)
    report(rounds)
    (near,), (distant,) = rounds["sqlite-1"], rounds["distant-3"]
    assert [len(each.acknowledged) for each in (near, distant)] == [5, 5]
    assert [len(each.created) for each in (near, distant)] == [5, 5]
    assert shortfalls(rounds) == []
    # Twelve round trips to accept a request and two to submit it, at the least.
    assert min(distant.created) > 14 * SHORT.distance
    assert "distant-3 to sqlite-1: acknowledged x" in capsys.readouterr().out


def test_a_lost_image_and_a_slow_acknowledgement_are_found() -> None:
    def measured(acknowledged: float, lost: int = 0) -> list[ClusterRound]:
        return [ClusterRound([acknowledged], [10], [20], [5], [30], lost)]

    assert shortfalls({"sqlite-1": measured(2), "postgresql-1": measured(2.9)}) == []
    assert shortfalls({"sqlite-1": measured(2), "postgresql-1": measured(3.1, lost=1)}) == [
        "postgresql-1: an image was lost",
        "an acknowledgement takes 1.55 times as long with PostgreSQL",
    ]
