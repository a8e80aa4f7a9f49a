"""Callbacks."""

import base64
import hashlib
import hmac

from demo.kie import Fail, KieStandIn
from demo.kie.callbacks import sign
from tests.demo.kie.conftest import CallbackListener, FakeClock, KieCaller, open_caller, results
from tests.waiting import until


async def test_a_callback_carries_the_record_and_a_signature(listener: CallbackListener) -> None:
    kie = KieStandIn(durations=0.02, callback_key="secret", wall_clock=FakeClock(1_760_000_000))
    async with open_caller(kie) as caller:
        task_id = await caller.create(callback=f"{listener.url}/hook?task=7")
        await until(lambda: listener.received, what="the callback")
        assert (await caller.record(task_id))["state"] == "success"
    headers, body = listener.received[0]
    digest = hmac.new(b"secret", f"{task_id}.1760000000".encode(), hashlib.sha256).digest()
    assert headers["X-Webhook-Timestamp"] == "1760000000"
    assert headers["X-Webhook-Signature"] == base64.b64encode(digest).decode()
    assert (body["code"], body["data"]["taskId"], body["data"]["state"]) == (200, task_id, "success")
    assert len(results(body["data"])) == 1


def test_the_signature_matches_the_known_vector() -> None:
    signature = sign("test-hmac-key", "0123456789abcdef0123456789abcdef", "1760000000")
    assert signature == "SpRsoRxVRKOH0lAMiEiyv3kDxM1OhxT1tbfPWB/6vPw="


async def test_a_failure_calls_back_with_501_and_unsigned_without_a_key(
    caller: KieCaller, listener: CallbackListener
) -> None:
    caller.kie.script.next_tasks(Fail("500", "Internal Error, Please try again later."))
    await caller.create(callback=f"{listener.url}/hook")
    await until(lambda: listener.received, what="the callback")
    headers, body = listener.received[0]
    assert "X-Webhook-Signature" not in headers
    assert (body["code"], body["data"]["failMsg"]) == (501, "Internal Error, Please try again later.")


async def test_failing_callbacks_do_no_harm(
    caller: KieCaller, listener: CallbackListener, unused_tcp_port: int
) -> None:
    listener.status = 500
    for url in (f"http://127.0.0.1:{unused_tcp_port}/hook", "https://example.com/hook", f"{listener.url}/hook"):
        await caller.finish(callback=url)
    await until(lambda: listener.received, what="the refused callback")
    assert caller.kie.billed == 15
