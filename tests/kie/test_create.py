"""createTask: what is sent, what each answer means, and that it is sent exactly once."""

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import aiohttp
import pytest

from bot.domain.ids import TaskId, from_base36
from bot.domain.image_api_errors import Ambiguous, ImageApiError, TaskRefused, TryLater
from bot.domain.settings import AspectRatio, Model, Resolution
from bot.domain.states import Failure
from bot.kie.client import KieClient
from demo.kie import Behaviour, Code, CutAfter, CutBefore, CutMidBody, Delay, Hang, Html, Http429, KieStandIn, Reply
from tests.factories import make_task_input
from tests.kie.conftest import KEY, ClientMaker
from tests.kie.schema import check_all, created, problems
from tests.waiting import until

WITHOUT_TASK_ID: list[Any] = [
    *(None, {}, [], "text", {"recordId": "only-this"}),
    *(
        {"taskId": task_id}
        for task_id in (None, "", " ", "null", "undefined", 0, -1, True, {"id": "x"}, "a b", "x" * 200)
    ),
]
REFERENCES = tuple(f"https://files.example.com/{number}.png" for number in range(8))


def sent_body(kie: KieStandIn, *, controls: bool = False) -> Any:
    """The JSON of the only createTask, which matches the schema."""
    check_all(kie, controls=controls)
    (call,) = created(kie)
    return call.json


async def create_error(client: KieClient) -> ImageApiError:
    with pytest.raises(ImageApiError) as caught:
        await client.create(make_task_input())
    return caught.value


@pytest.mark.parametrize("model", Model)
@pytest.mark.parametrize("resolution", Resolution)
@pytest.mark.parametrize(
    ("ratio", "references"),
    [(ratio, 0) for ratio in AspectRatio if ratio is not AspectRatio.AUTO]
    + [(AspectRatio.AUTO, 1), (AspectRatio.AUTO, 8), (AspectRatio.TALL, 1), (AspectRatio.SQUARE, 8)],
)
async def test_every_choice_is_sent_as_documented(
    client: KieClient, kie: KieStandIn, model: Model, resolution: Resolution, ratio: AspectRatio, references: int
) -> None:
    urls = REFERENCES[:references]
    task_input = make_task_input(model=model, resolution=resolution, aspect_ratio=ratio, reference_urls=urls)
    kie_task_id = await client.create(task_input)

    kind = "image-to-image" if references else "text-to-image"
    fields: dict[str, Any] = {
        "prompt": task_input.prompt,
        "aspect_ratio": ratio.value,
        "resolution": resolution.value,
        "nsfw_checker": True,
    }
    if references:
        fields["input_urls"] = [*urls]
    assert sent_body(kie) == {"model": f"flux-2/{model.value}-{kind}", "input": fields}
    assert list(kie.tasks) == [kie_task_id]


@pytest.mark.parametrize("prompt", ["abc", "p" * 5000, "🦊" * 2500, 'a "quoted"\nline\\ with \u2028 and \u0000'])
async def test_the_prompt_is_sent_unchanged(client: KieClient, kie: KieStandIn, prompt: str) -> None:
    await client.create(make_task_input(prompt))
    assert sent_body(kie)["input"]["prompt"] == prompt


async def test_steps_and_guidance_are_sent_when_given(client: KieClient, kie: KieStandIn) -> None:
    await client.create(make_task_input(model=Model.FLEX, steps=50, guidance=1.5))
    body = sent_body(kie, controls=True)
    assert (body["input"]["steps"], body["input"]["guidance"]) == (50, 1.5)
    assert len(problems(body)) == 1, "the schema must reject them unless the operator allows them"


async def test_the_safety_filter_can_be_turned_off(make_client: ClientMaker, kie: KieStandIn) -> None:
    await make_client(nsfw_checker=False).create(make_task_input())
    assert sent_body(kie)["input"]["nsfw_checker"] is False


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_callback_url_carries_our_task_id(make_client: ClientMaker, kie: KieStandIn, slash: str) -> None:
    # The stand-in calls back, but nobody listens on this port.
    with closed_port() as port:
        client = make_client(callback_url=f"http://127.0.0.1:{port}{slash}")
        await client.create(make_task_input(task_id=1 << 62))
        start, _, task_id = sent_body(kie)["callBackUrl"].rpartition("/")
    assert start == f"http://127.0.0.1:{port}/kie/callback"
    assert from_base36(task_id) == TaskId(1 << 62)


async def test_the_headers(client: KieClient, kie: KieStandIn) -> None:
    await client.create(make_task_input())
    (call,) = created(kie)
    assert call.headers["Authorization"] == f"Bearer {KEY}"
    assert call.headers["Content-Type"] == "application/json"
    assert "Easel" in call.headers["User-Agent"]


@pytest.mark.parametrize(
    ("behaviour", "kind", "failure"),
    [
        (Code(400, "bad parameter"), TaskRefused, Failure.REJECTED),
        (Code(401, "no access"), TryLater, Failure.KEY_REFUSED),
        (Code(403, "not allowed for this key"), TryLater, Failure.KEY_REFUSED),
        (Html(401), TryLater, Failure.KEY_REFUSED),
        (Code(402, "Insufficient credits"), TryLater, Failure.OUT_OF_CREDITS),
        (Code(404, "no such model"), TaskRefused, Failure.REJECTED),
        (Code(422, "validation failed"), TaskRefused, Failure.REJECTED),
        (Code(422, "The prompt was flagged as sensitive"), TaskRefused, Failure.MODERATED),
        (Code(400, "Image fetch failed."), TaskRefused, Failure.REFERENCE_UNREADABLE),
        (Code(429, "too many requests"), TryLater, Failure.UNAVAILABLE),
        (Http429(), TryLater, Failure.UNAVAILABLE),
        (Html(429), TryLater, Failure.UNAVAILABLE),
        (Reply(429, b""), TryLater, Failure.UNAVAILABLE),
        (Code(433, "sub-key limit"), TryLater, Failure.OUT_OF_CREDITS),
        (Code(455, "maintenance"), TryLater, Failure.MAINTENANCE),
        (Code(500, "aspect_ratio is required"), TaskRefused, Failure.REJECTED),
        (Reply(500, {"code": 500, "msg": "prompt is required"}), TaskRefused, Failure.REJECTED),
        (Code(501, "generation failed"), TaskRefused, Failure.BROKEN),
        (Code(505, "feature disabled"), TaskRefused, Failure.UNAVAILABLE),
        (Reply(401, {"code": 401, "msg": "no access"}), TryLater, Failure.KEY_REFUSED),
        (Reply(200, {"code": "402", "msg": None, "data": None}), TryLater, Failure.OUT_OF_CREDITS),
        (Reply(200, {"code": 422}), TaskRefused, Failure.REJECTED),
        (Reply(200, {"code": 422, "msg": ["odd"], "data": []}), TaskRefused, Failure.REJECTED),
        (Html(403), TaskRefused, Failure.UNAVAILABLE),
        (Html(404), TaskRefused, Failure.REJECTED),
        (Reply(413, b""), TaskRefused, Failure.UNAVAILABLE),
    ],
    ids=str,
)
async def test_an_answer_that_says_no_task_was_made(
    client: KieClient, kie: KieStandIn, behaviour: Behaviour, kind: type[TaskRefused | TryLater], failure: Failure
) -> None:
    kie.script.always("createTask", behaviour)
    error = await create_error(client)
    assert isinstance(error, kind)
    assert error.failure is failure
    sent_body(kie)


@pytest.mark.parametrize(
    "behaviour",
    [
        Code(408, "upstream was silent"),
        Code(999, "undocumented"),
        Code(0, ""),
        Code(500, "Internal Server Error"),
        Code(500, "Internal Error, Please try again later."),
        Reply(500, {"code": 500, "msg": None}),
        Reply(500, {"error": "Internal Server Error"}),
        *(Reply(200, b"not gzip", headers={"Content-Encoding": name}) for name in ("gzip", "deflate", "br")),
        Reply(200, b"", headers={"Content-Encoding": "gzip"}),
        *(Code(200, "success", data) for data in WITHOUT_TASK_ID),
        Reply(200, {"code": 200}),
        Reply(200, b'{"code":200,"msg":"success","data":{"taskId":"ab'),
        *(Reply(200, body) for body in (b"", b"null", b"[]", b'"success"', b"\xff\xfe\x00")),
        Reply(200, {"code": None, "msg": "success"}),
        *(Html(status) for status in (200, 500, 502, 504)),
        *(Reply(status, b"", headers={"Location": "/api/v1/jobs/createTask"}) for status in (302, 307)),
        CutBefore(),
        CutAfter(),
        CutMidBody(),
        Hang(),
        Delay(1.5),
    ],
    ids=str,
)
async def test_an_answer_after_which_nobody_can_know(
    make_client: ClientMaker, kie: KieStandIn, behaviour: Behaviour
) -> None:
    kie.script.always("createTask", behaviour)
    waits = isinstance(behaviour, Hang | Delay)
    assert isinstance(await create_error(make_client(request_seconds=0.2 if waits else 5.0)), Ambiguous)
    sent_body(kie)
    if isinstance(behaviour, CutAfter):
        assert len(kie.tasks) == 1, "this one did create a task"


async def test_a_body_over_a_megabyte_is_not_read(client: KieClient, kie: KieStandIn) -> None:
    body = b'{"code":200,"data":{"taskId":"abc"},"msg":"' + b"x" * ((1 << 20) - 100) + b'"}'
    kie.script.on("createTask", Reply(200, body))
    assert await client.create(make_task_input()) == "abc"
    kie.script.on("createTask", Reply(200, body + b" " * 100))
    assert isinstance(await create_error(client), Ambiguous)
    assert len(created(kie)) == 2


async def test_a_reused_connection_that_breaks_does_not_send_twice(client: KieClient, kie: KieStandIn) -> None:
    await client.create(make_task_input())
    kie.script.always("createTask", CutBefore())
    assert isinstance(await create_error(client), Ambiguous)
    assert len(created(kie)) == 2


@pytest.mark.parametrize("code", [200, 402, 422, 429, 455, 500])
@pytest.mark.parametrize("task_id", ["abc", 1234567])
async def test_a_task_id_counts_whatever_the_code_says(
    client: KieClient, kie: KieStandIn, code: int, task_id: str | int
) -> None:
    kie.script.on("createTask", Code(code, "try later", {"taskId": task_id}))
    assert await client.create(make_task_input()) == str(task_id)


@pytest.mark.parametrize(
    "answer",
    [
        {"code": 200, "data": {"taskId": "", "task_id": "abc"}},
        {"code": 200, "data": {"taskId": None, "task_id": " abc "}},
        {"code": 200, "data": {"taskId": "null"}, "taskId": "abc"},
        {"code": 200, "data": None, "task_id": "abc"},
        {"code": 200, "data": [{"taskId": "abc"}]},
        {"code": 200, "data": '{"taskId": "abc"}'},
        {"code": "200", "data": {"taskId": "abc", "recordId": "other", "more": [1]}},
        {"msg": "success", "data": {"taskId": "abc"}},
    ],
    ids=str,
)
async def test_the_task_id_is_found_where_it_is(client: KieClient, kie: KieStandIn, answer: dict[str, Any]) -> None:
    kie.script.on("createTask", Reply(200, answer))
    assert await client.create(make_task_input()) == "abc"


async def test_a_wrong_key_is_refused(make_client: ClientMaker) -> None:
    error = await create_error(make_client(api_key="another-key"))
    assert isinstance(error, TryLater)
    assert error.failure is Failure.KEY_REFUSED


async def test_a_refused_connection_is_for_later(make_client: ClientMaker, kie: KieStandIn) -> None:
    with closed_port() as port:
        error = await create_error(make_client(base_url=f"http://127.0.0.1:{port}"))
    assert isinstance(error, TryLater)
    assert error.failure is Failure.UNAVAILABLE
    assert created(kie) == []


async def test_a_connection_that_is_never_made_is_for_later(make_client: ClientMaker) -> None:
    with full_port() as port:
        error = await create_error(make_client(base_url=f"http://127.0.0.1:{port}", request_seconds=0.3))
    assert isinstance(error, TryLater)


async def test_waiting_for_a_free_connection_is_for_later(make_client: ClientMaker, kie: KieStandIn) -> None:
    kie.script.always("createTask", Hang())
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        hanging = group.create_task(make_client(session=session).create(make_task_input()))
        await until(lambda: created(kie), what="the createTask that takes the only connection")
        error = await create_error(make_client(session=session, request_seconds=0.3))
        hanging.cancel()
    assert isinstance(error, TryLater)
    assert len(created(kie)) == 1


@contextmanager
def closed_port() -> Generator[int, None, None]:
    """A port that is reserved, and refuses connections."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@contextmanager
def full_port() -> Generator[int, None, None]:
    """A port whose queue of connections is full: new ones are neither accepted nor refused."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        clients = [socket.socket() for _ in range(4)]
        try:
            for client in clients:
                client.settimeout(0)
                client.connect_ex(server.getsockname())
            yield server.getsockname()[1]
        finally:
            for client in clients:
                client.close()
