"""Callbacks."""

import base64
import hashlib
import hmac

from demo.kie import (
    Fail,
    KieStandIn,
)
from demo.kie.outbound import sign
from tests.demo.kie.kit import RECORD, Caller, FakeClock, Listener, open_caller, results, table
from tests.waiting import until


async def test_a_callback_carries_the_record_and_a_signature(listener: Listener) -> None:
    kie = KieStandIn(durations=0.02, callback_key="secret", wall_clock=FakeClock(1_760_000_000))
    async with open_caller(kie) as caller:
        task_id = await caller.create(callback=f"{listener.url}/hook?task=7")
        await until(lambda: kie.callbacks_delivered, what="the callback")
        assert table((await caller.get(RECORD, taskId=task_id))["data"])["state"] == "success"
    headers, body = listener.calls[0]
    digest = hmac.new(b"secret", f"{task_id}.1760000000".encode(), hashlib.sha256).digest()
    assert headers["X-Webhook-Timestamp"] == "1760000000"
    assert headers["X-Webhook-Signature"] == base64.b64encode(digest).decode()
    assert body["code"] == 200
    data = table(body["data"])
    assert (data["taskId"], data["state"]) == (task_id, "success")
    assert len(results(data)) == 1


def test_the_signature_matches_the_known_vector() -> None:
    signature = sign("test-hmac-key", "0123456789abcdef0123456789abcdef", "1760000000")
    assert signature == "SpRsoRxVRKOH0lAMiEiyv3kDxM1OhxT1tbfPWB/6vPw="


async def test_a_failure_calls_back_with_501_and_unsigned_without_a_key(caller: Caller, listener: Listener) -> None:
    caller.kie.script.next_tasks(Fail("500", "Internal Error, Please try again later."))
    task_id = await caller.create(callback=f"{listener.url}/hook")
    await until(lambda: caller.kie.callbacks_delivered, what="the callback")
    await caller.kie.call_back(task_id)
    assert len(listener.calls) == 2
    headers, body = listener.calls[0]
    assert "X-Webhook-Signature" not in headers
    assert body["code"] == 501
    assert table(body["data"])["failMsg"] == "Internal Error, Please try again later."


async def test_callbacks_that_go_wrong_are_counted_and_harm_nothing(
    caller: Caller, listener: Listener, unused_tcp_port: int
) -> None:
    listener.status = 500
    for target in (
        f"{listener.url}/hook",
        f"http://127.0.0.1:{unused_tcp_port}/hook",
        "https://example.com/hook",
    ):
        await caller.ended(await caller.create(callback=target))
    assert await until(lambda: caller.kie.callbacks_failed == 3, what="three failed callbacks")
