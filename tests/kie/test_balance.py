"""The account's balance: a number, or an error."""

from decimal import Decimal
from typing import Any

import pytest

from bot.domain.image_api_errors import AccountRefused, PollFailed
from bot.kie.client import KieClient
from demo.kie import Behaviour, Code, CutBefore, CutMidBody, Hang, Html, Http429, KieStandIn, Reply
from tests.factories import make_task_input
from tests.kie.conftest import KEY, ClientMaker
from tests.waiting import until


async def test_the_question_carries_the_key(client: KieClient, kie: KieStandIn) -> None:
    assert await client.balance() == Decimal(1000)
    (call,) = kie.requests
    assert (call.method, call.path, call.query) == ("GET", "/api/v1/chat/credit", {})
    assert call.headers["Authorization"] == f"Bearer {KEY}"
    assert call.headers["Content-Type"] == "application/json"


async def test_a_task_lowers_the_balance_and_a_top_up_raises_it(client: KieClient, kie: KieStandIn) -> None:
    await client.create(make_task_input())
    assert await client.balance() == Decimal(995)
    await until(lambda: kie.billed == 5, what="the task to be billed")
    assert await client.balance() == Decimal(995)
    kie.balance = Decimal("12.5")
    assert await client.balance() == Decimal("12.5")


@pytest.mark.parametrize(
    ("data", "balance"),
    [
        (1234.5, "1234.5"),
        (7, "7"),
        (0, "0"),
        (-2.5, "-2.5"),
        (0.1 + 0.2, "0.3"),
        (99.99999, "100"),
        ("1234.5", "1234.5"),
        (" 12 ", "12"),
        ("-2.5", "-2.5"),
    ],
)
async def test_a_number_is_a_balance(client: KieClient, kie: KieStandIn, data: Any, balance: str) -> None:
    kie.script.on("credit", Code(200, "success", data))
    assert await client.balance() == Decimal(balance)


INVALID: list[Any] = [
    *(None, True, [5], {"credits": 5}, 1e30, -1e30, 10**40),
    *("", "many", "1_000", "1e3", "NaN", "Infinity", "9" * 50, "\uff15"),
]


@pytest.mark.parametrize(
    "behaviour",
    [
        *(Code(200, "success", data) for data in INVALID),
        Code(500, "server error", 5.0),
        Code(455, "maintenance"),
        Http429(),
        Html(200),
        Html(502),
        Reply(200, b""),
        Reply(200, b'{"code":200,"data":NaN}'),
        Reply(500, {"code": 200, "msg": "success", "data": 5.0}),
        CutBefore(),
        CutMidBody(),
        Hang(),
    ],
    ids=str,
)
async def test_anything_else_is_an_error(make_client: ClientMaker, kie: KieStandIn, behaviour: Behaviour) -> None:
    kie.script.always("credit", behaviour)
    with pytest.raises(PollFailed):
        await make_client(request_seconds=0.3 if isinstance(behaviour, Hang) else 5.0).balance()


async def test_a_wrong_key_is_an_error(make_client: ClientMaker) -> None:
    with pytest.raises(AccountRefused) as caught:
        await make_client(api_key="another").balance()
    assert caught.value.wrong_key


@pytest.mark.parametrize(
    ("behaviour", "wrong_key"),
    [
        (Code(401, "no access", 5.0), True),
        (Reply(401, {"detail": "no"}), True),
        (Html(401), True),
        (Code(403, "forbidden"), False),
        (Html(403), False),
    ],
    ids=str,
)
async def test_an_account_that_is_refused(
    client: KieClient, kie: KieStandIn, behaviour: Behaviour, wrong_key: bool
) -> None:
    kie.script.on("credit", behaviour)
    with pytest.raises(AccountRefused) as caught:
        await client.balance()
    assert caught.value.wrong_key is wrong_key
