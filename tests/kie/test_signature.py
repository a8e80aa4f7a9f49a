"""The signature of callbacks, against the rule in KIE's documentation."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.kie.signature import sign, verify

KEY = "test-hmac-key"
TASK = "0123456789abcdef0123456789abcdef"
TIMESTAMP = "1760000000"
SIGNATURE = "SpRsoRxVRKOH0lAMiEiyv3kDxM1OhxT1tbfPWB/6vPw="
NOW = datetime.fromtimestamp(int(TIMESTAMP), UTC)


@pytest.mark.parametrize(
    ("seconds", "valid"), [(0, True), (300, True), (-300, True), (301, False), (-301, False), (86_400, False)]
)
def test_a_signature_is_valid_for_five_minutes(seconds: int, valid: bool) -> None:
    assert sign(KEY, TASK, TIMESTAMP) == SIGNATURE
    assert verify(KEY, TASK, TIMESTAMP, SIGNATURE, NOW + timedelta(seconds=seconds)) is valid


@pytest.mark.parametrize(
    ("key", "task", "timestamp", "signature"),
    [
        ("another", TASK, TIMESTAMP, SIGNATURE),
        (KEY, TASK[::-1], TIMESTAMP, SIGNATURE),
        (KEY, TASK, "1760000001", SIGNATURE),
        *((KEY, TASK, TIMESTAMP, wrong) for wrong in (SIGNATURE[:-1], SIGNATURE.lower(), "", "ä")),
    ],
)
def test_one_wrong_part_makes_it_invalid(key: str, task: str, timestamp: str, signature: str) -> None:
    assert not verify(key, task, timestamp, signature, NOW)


@pytest.mark.parametrize("timestamp", ["", "-1760000000", "1760000000.0", "١٧٦٠٠٠٠٠٠٠", "9" * 13, "9" * 400, "²"])
def test_a_malformed_timestamp_is_invalid(timestamp: str) -> None:
    assert not verify(KEY, TASK, timestamp, sign(KEY, TASK, timestamp), NOW)
