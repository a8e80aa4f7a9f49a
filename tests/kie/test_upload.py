"""Uploads of references: what is sent, and when another attempt is made."""

from typing import Any

import pytest

from bot.domain.errors import UploadFailed
from bot.kie.client import KieClient
from demo.kie import (
    Behaviour,
    Code,
    CutAfter,
    CutBefore,
    CutMidBody,
    Hang,
    Html,
    Http429,
    KieStandIn,
    RecordedRequest,
    Reply,
)
from tests.kie.conftest import KEY, ClientMaker

DATA = b"\x89PNG\r\n\x1a\n and some \x00\xff bytes\r\n--"

WITHOUT_URL: list[Any] = [None, {}, {"downloadUrl": None}, {"downloadUrl": ["https://[::1]@"]}]


def uploads(kie: KieStandIn) -> list[RecordedRequest]:
    """Every upload so far; nothing else was called."""
    assert {call.path for call in kie.requests} == {"/api/file-stream-upload"}
    return list(kie.requests)


async def send(client: KieClient) -> str:
    return await client.upload(DATA, "reference.png", "image/png")


async def test_the_form_is_as_documented(client: KieClient, kie: KieStandIn) -> None:
    address = await send(client)
    (call,) = uploads(kie)
    assert call.method == "POST"
    assert call.headers["Authorization"] == f"Bearer {KEY}"
    assert set(call.fields) == {"uploadPath", "fileName"}
    assert set(call.files) == {"file"}
    file = call.files["file"]
    assert (file.content, file.content_type) == (DATA, "image/png")
    assert call.fields["uploadPath"]
    assert call.fields["fileName"] == file.name
    assert file.name.endswith(".png")
    assert address == f"{kie.base_url}/uploads/{call.fields['uploadPath']}/{file.name}"


async def test_equal_names_do_not_overwrite_each_other(client: KieClient, kie: KieStandIn) -> None:
    addresses = {await send(client) for _ in range(5)}
    assert len(addresses) == 5
    assert len({call.fields["fileName"] for call in uploads(kie)}) == 5


@pytest.mark.parametrize(
    "behaviour",
    [
        CutBefore(),
        CutAfter(),
        CutMidBody(),
        Html(502),
        Html(200),
        Http429(),
        Code(429, "too many requests"),
        Code(500, "server error"),
        *(Code(200, "success", data) for data in WITHOUT_URL),
        Reply(200, b""),
        Reply(200, b"x" * ((1 << 20) + 1)),
    ],
    ids=lambda behaviour: str(behaviour)[:40],
)
async def test_trouble_that_may_pass_is_tried_again(client: KieClient, kie: KieStandIn, behaviour: Behaviour) -> None:
    kie.script.on("upload", behaviour)
    address = await send(client)
    first, second = uploads(kie)
    assert first.fields["fileName"] != second.fields["fileName"]
    assert address.endswith(second.fields["fileName"])


async def test_a_hanging_upload_is_tried_again(make_client: ClientMaker, kie: KieStandIn) -> None:
    kie.script.on("upload", Hang())
    assert await send(make_client(upload_seconds=0.3))
    assert len(uploads(kie)) == 2


async def test_the_third_try_is_the_last(client: KieClient, kie: KieStandIn) -> None:
    kie.script.always("upload", Code(500, "server error"))
    with pytest.raises(UploadFailed):
        await send(client)
    assert len(uploads(kie)) == 3


@pytest.mark.parametrize(
    "behaviour",
    [
        *(Code(code, "refused") for code in (400, 401, 402, 413)),
        Html(404),
        Html(403),
    ],
    ids=str,
)
async def test_a_definite_no_is_not_asked_twice(client: KieClient, kie: KieStandIn, behaviour: Behaviour) -> None:
    kie.script.always("upload", behaviour)
    with pytest.raises(UploadFailed):
        await send(client)
    assert len(uploads(kie)) == 1


async def test_a_wrong_key_is_a_definite_no(make_client: ClientMaker, kie: KieStandIn) -> None:
    with pytest.raises(UploadFailed):
        await send(make_client(api_key="another"))
    assert len(uploads(kie)) == 1


async def test_a_redirect_is_not_followed(client: KieClient, kie: KieStandIn) -> None:
    kie.script.always("upload", Reply(307, b"", headers={"Location": kie.base_url + "/elsewhere"}))
    with pytest.raises(UploadFailed):
        await send(client)
    assert uploads(kie)
