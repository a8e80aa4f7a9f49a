"""The callback's signature, against the vendor's rule."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.kie.signature import sign, verify

KEY = "test-hmac-key"
TASK = "0123456789abcdef0123456789abcdef"
STAMP = "1760000000"
SIGNATURE = "SpRsoRxVRKOH0lAMiEiyv3kDxM1OhxT1tbfPWB/6vPw="
NOW = datetime.fromtimestamp(int(STAMP), UTC)


def test_the_known_vector() -> None:
    assert sign(KEY, TASK, STAMP) == SIGNATURE
    assert verify(KEY, TASK, STAMP, SIGNATURE, NOW)


@pytest.mark.parametrize(
    ("seconds", "valid"), [(0, True), (300, True), (-300, True), (301, False), (-301, False), (86_400, False)]
)
def test_a_signature_lasts_five_minutes(seconds: int, valid: bool) -> None:
    assert verify(KEY, TASK, STAMP, SIGNATURE, NOW + timedelta(seconds=seconds)) is valid


@pytest.mark.parametrize(
    ("key", "task", "stamp", "signature"),
    [
        ("another", TASK, STAMP, SIGNATURE),
        (KEY, TASK[::-1], STAMP, SIGNATURE),
        (KEY, TASK, "1760000001", SIGNATURE),
        (KEY, TASK, STAMP, SIGNATURE[:-1]),
        (KEY, TASK, STAMP, SIGNATURE.lower()),
        (KEY, TASK, STAMP, ""),
        (KEY, TASK, STAMP, "ä"),
    ],
)
def test_a_wrong_part_spoils_it(key: str, task: str, stamp: str, signature: str) -> None:
    assert not verify(key, task, stamp, signature, NOW)


@pytest.mark.parametrize("stamp", ["", "-1760000000", "1760000000.0", "١٧٦٠٠٠٠٠٠٠", "9" * 13, "9" * 400, "²"])
def test_an_odd_timestamp_is_refused(stamp: str) -> None:
    assert not verify(KEY, TASK, stamp, sign(KEY, TASK, stamp), NOW)
