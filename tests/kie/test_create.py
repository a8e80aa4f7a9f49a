"""createTask: what is sent, what each answer means, and that it is sent exactly once."""

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager

import aiohttp
import pytest

from bot.domain.errors import Ambiguous, ImageApiError, TaskRefused, TryLater
from bot.domain.ids import TaskId, from_base36
from bot.domain.settings import AspectRatio, Model, Resolution
from bot.domain.states import Failure
from bot.kie.client import KieClient
from demo.kie import (
    Behaviour,
    Code,
    CutAfter,
    CutBefore,
    CutMidBody,
    Delay,
    Hang,
    Html,
    Http429,
    Json,
    KieStandIn,
    Reply,
)
from tests.kie.conftest import KEY, ClientMaker
from tests.kie.orders import order
from tests.kie.schema import check_all, created, problems
from tests.waiting import until

REFERENCES = tuple(f"https://files.example.com/{number}.png" for number in range(8))


async def outcome(client: KieClient) -> ImageApiError:
    """The error of one createTask."""
    with pytest.raises(ImageApiError) as raised:
        await client.create(order())
    return raised.value


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
    wish = order(model=model, resolution=resolution, aspect_ratio=ratio, references=REFERENCES[:references])
    kie_task_id = await client.create(wish)

    (call,) = created(kie)
    check_all(kie)
    kind = "image-to-image" if references else "text-to-image"
    expected: dict[str, Json] = {
        "prompt": wish.prompt,
        "aspect_ratio": ratio.value,
        "resolution": resolution.value,
        "nsfw_checker": True,
    }
    if references:
        expected["input_urls"] = [*REFERENCES[:references]]
    assert call.json == {"model": f"flux-2/{model.value}-{kind}", "input": expected}
    assert list(kie.tasks) == [kie_task_id]


@pytest.mark.parametrize("prompt", ["abc", "p" * 5000, "🦊" * 2500, 'a "quoted"\nline\\ with \u2028 and \u0000'])
async def test_the_prompt_arrives_as_it_was(client: KieClient, kie: KieStandIn, prompt: str) -> None:
    await client.create(order(prompt))
    check_all(kie)
    (task,) = kie.tasks.values()
    assert task.request.prompt == prompt


async def test_steps_and_guidance_are_sent_when_given(client: KieClient, kie: KieStandIn) -> None:
    await client.create(order(model=Model.FLEX, steps=50, guidance=1.5))
    check_all(kie, controls=True)
    (call,) = created(kie)
    assert isinstance(call.json, dict)
    assert isinstance(call.json["input"], dict)
    assert (call.json["input"]["steps"], call.json["input"]["guidance"]) == (50, 1.5)
    assert len(problems(call.json)) == 1, "without the operator's leave the schema must object"


async def test_the_vendors_filter_can_be_turned_off(make_client: ClientMaker, kie: KieStandIn) -> None:
    await make_client(nsfw_checker=False).create(order())
    check_all(kie)
    (call,) = created(kie)
    assert isinstance(call.json, dict)
    assert isinstance(call.json["input"], dict)
    assert call.json["input"]["nsfw_checker"] is False


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_callback_carries_our_own_task_id(make_client: ClientMaker, kie: KieStandIn, slash: str) -> None:
    # The port of a server that has gone: the stand-in's callback must find nobody.
    with closed_port() as port:
        await make_client(callback_url=f"http://127.0.0.1:{port}{slash}").create(order(task_id=1 << 62))
        check_all(kie)
        (call,) = created(kie)
        assert isinstance(call.json, dict)
        address = call.json["callBackUrl"]
        assert isinstance(address, str)
        start, _, last = address.rpartition("/")
        assert start == f"http://127.0.0.1:{port}/kie/callback"
        assert from_base36(last) == TaskId(1 << 62)


async def test_the_key_and_the_content_type_are_sent(client: KieClient, kie: KieStandIn) -> None:
    await client.create(order())
    (call,) = created(kie)
    assert call.headers["Authorization"] == f"Bearer {KEY}"
    assert call.headers["Content-Type"] == "application/json"
    assert "Easel" in call.headers["User-Agent"]


@pytest.mark.parametrize(
    ("behaviour", "kind", "failure"),
    [
        (Code(400, "bad parameter"), TaskRefused, Failure.REJECTED),
        (Code(401, "no access"), TaskRefused, Failure.KEY_REFUSED),
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
        (Code(500, "aspect_ratio is required"), TaskRefused, Failure.BROKEN),
        (Code(501, "generation failed"), TaskRefused, Failure.BROKEN),
        (Code(505, "feature disabled"), TaskRefused, Failure.UNAVAILABLE),
        (Reply(401, {"code": 401, "msg": "no access"}), TaskRefused, Failure.KEY_REFUSED),
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
    error = await outcome(client)
    assert isinstance(error, kind)
    assert error.failure is failure
    assert len(created(kie)) == 1
    check_all(kie)


@pytest.mark.parametrize(
    "behaviour",
    [
        Code(408, "upstream was silent"),
        Code(999, "undocumented"),
        Code(0, ""),
        Code(200, "success"),
        Code(200, "success", {}),
        Code(200, "success", []),
        Code(200, "success", "text"),
        Code(200, "success", {"taskId": None}),
        Code(200, "success", {"taskId": ""}),
        Code(200, "success", {"taskId": {"id": "x"}}),
        Code(200, "success", {"recordId": "only-this"}),
        Reply(200, {"code": 200}),
        Reply(200, b""),
        Reply(200, b'{"code":200,"msg":"success","data":{"taskId":"ab'),
        Reply(200, b"null"),
        Reply(200, b"[]"),
        Reply(200, b'"success"'),
        Reply(200, {"code": None, "msg": "success"}),
        Reply(200, {"msg": "success", "data": {"taskId": "abc"}}),
        Reply(200, b"\xff\xfe\x00"),
        Html(200),
        Html(500),
        Html(502),
        Html(504),
        Reply(302, b"", headers={"Location": "/api/v1/jobs/createTask"}),
        Reply(307, b"", headers={"Location": "/api/v1/jobs/createTask"}),
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
    error = await outcome(make_client(request_seconds=0.2 if waits else 5.0))
    assert isinstance(error, Ambiguous)
    assert len(created(kie)) == 1
    check_all(kie)


async def test_a_body_of_over_a_megabyte_is_refused(client: KieClient, kie: KieStandIn) -> None:
    padded = b'{"code":200,"data":{"taskId":"abc"},"msg":"' + b"x" * (1 << 20) + b'"}'
    kie.script.on("createTask", Reply(200, padded))
    assert isinstance(await outcome(client), Ambiguous)
    assert len(created(kie)) == 1


async def test_a_body_just_under_a_megabyte_is_read(client: KieClient, kie: KieStandIn) -> None:
    padded = b'{"code":200,"data":{"taskId":"abc"},"msg":"' + b"x" * ((1 << 20) - 100) + b'"}'
    kie.script.on("createTask", Reply(200, padded))
    assert await client.create(order()) == "abc"


async def test_a_reused_connection_that_breaks_does_not_send_twice(client: KieClient, kie: KieStandIn) -> None:
    await client.create(order())
    kie.script.always("createTask", CutBefore())
    assert isinstance(await outcome(client), Ambiguous)
    assert len(created(kie)) == 2


async def test_a_task_id_as_a_number_is_taken_as_text(client: KieClient, kie: KieStandIn) -> None:
    kie.script.on("createTask", Code(200, "success", {"taskId": 1234567}))
    assert await client.create(order()) == "1234567"


@pytest.mark.parametrize("code", [402, 422, 429, 455, 500])
async def test_an_answer_that_refuses_and_gives_an_id_is_taken_by_its_id(
    client: KieClient, kie: KieStandIn, code: int
) -> None:
    kie.script.on("createTask", Code(code, "try later", {"taskId": "abc"}))
    assert await client.create(order()) == "abc"


async def test_a_wrong_key_is_the_operators(make_client: ClientMaker) -> None:
    error = await outcome(make_client(api_key="another-key"))
    assert isinstance(error, TaskRefused)
    assert error.failure is Failure.KEY_REFUSED


async def test_a_refused_connection_is_for_later(make_client: ClientMaker, kie: KieStandIn) -> None:
    with closed_port() as port:
        error = await outcome(make_client(base_url=f"http://127.0.0.1:{port}"))
    assert isinstance(error, TryLater)
    assert error.failure is Failure.UNAVAILABLE
    assert created(kie) == []


async def test_a_connection_that_is_never_made_is_for_later(make_client: ClientMaker) -> None:
    with deaf_port() as port:
        error = await outcome(make_client(base_url=f"http://127.0.0.1:{port}", request_seconds=0.3))
    assert isinstance(error, TryLater)


async def test_waiting_for_a_free_connection_is_for_later(make_client: ClientMaker, kie: KieStandIn) -> None:
    kie.script.always("createTask", Hang())
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as narrow, asyncio.TaskGroup() as group:
        patient = make_client(session=narrow)
        hanging = group.create_task(patient.create(order()))
        await until(lambda: created(kie), what="the createTask that takes the only connection")
        error = await outcome(make_client(session=narrow, request_seconds=0.3))
        hanging.cancel()
    # Nothing was sent, so the task may go again.
    assert isinstance(error, TryLater)
    assert len(created(kie)) == 1


async def test_an_unsure_answer_may_have_made_a_task(client: KieClient, kie: KieStandIn) -> None:
    kie.script.on("createTask", CutAfter())
    assert isinstance(await outcome(client), Ambiguous)
    assert len(kie.tasks) == 1


@contextmanager
def closed_port() -> Generator[int, None, None]:
    """A port that is taken, and on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def deaf_port() -> Generator[int, None, None]:
    """A port whose queue of connections is full: new ones are neither taken nor refused."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        callers = [socket.socket() for _ in range(4)]
        try:
            for caller in callers:
                caller.settimeout(0)
                caller.connect_ex(deaf.getsockname())
            yield deaf.getsockname()[1]
        finally:
            for caller in callers:
                caller.close()
