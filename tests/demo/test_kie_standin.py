"""The KIE stand-in, seen through a real HTTP client."""

import base64
import hashlib
import hmac
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

import aiohttp
import pytest
from aiohttp import web
from PIL import Image

from bot.demo.kie import (
    Behaviour,
    Code,
    CutAfter,
    CutBefore,
    CutMidBody,
    Delay,
    EmptyData,
    Fail,
    Hang,
    Html,
    Http429,
    Json,
    KieStandIn,
    Never,
    NotYetKnown,
    Outcome,
    Reply,
    Route,
    Succeed,
    SucceedWithoutUrls,
    UnknownState,
)
from bot.demo.kie.outbound import is_loopback, sign
from bot.demo.kie.paint import size_of
from tests.waiting import until

KEY = "test-key"
PRO = "flux-2/pro-text-to-image"
PRO_EDIT = "flux-2/pro-image-to-image"
CREATE = "/api/v1/jobs/createTask"
RECORD = "/api/v1/jobs/recordInfo"
CREDIT = "/api/v1/chat/credit"
UPLOAD = "/api/file-stream-upload"


@dataclass
class FakeClock:
    """Seconds that pass only when told to."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Caller:
    """A client of the stand-in, with the few verbs the tests need."""

    kie: KieStandIn
    session: aiohttp.ClientSession

    async def post(self, path: str, body: Json) -> dict[str, Json]:
        async with self.session.post(self.kie.base_url + path, json=body) as response:
            assert response.status == 200
            return table(await response.json())

    async def get(self, path: str, **query: str) -> dict[str, Json]:
        async with self.session.get(self.kie.base_url + path, params=query) as response:
            assert response.status == 200
            return table(await response.json())

    async def create(self, model: str = PRO, callback: str | None = None, **changes: Json) -> str:
        answer = await self.post(CREATE, request(model, callback, **changes))
        assert answer["code"] == 200, answer
        task_id = table(answer["data"])["taskId"]
        assert isinstance(task_id, str)
        return task_id

    async def refused(self, model: str = PRO, **changes: Json) -> tuple[Json, str]:
        answer = await self.post(CREATE, request(model, None, **changes))
        assert answer["data"] is None
        return answer["code"], str(answer["msg"])

    async def record(self, task_id: str) -> dict[str, Json]:
        answer = await self.get(RECORD, taskId=task_id)
        assert answer["code"] == 200
        return table(answer["data"])

    async def ended(self, task_id: str) -> dict[str, Json]:
        async def look() -> dict[str, Json] | None:
            record = await self.record(task_id)
            return record if record["state"] in ("success", "fail") else None

        return await until(look, what="the end of the task")

    async def upload(self, content: bytes, name: str = "ref.png", **fields: str) -> dict[str, Json]:
        form = aiohttp.FormData()
        form.add_field("file", io.BytesIO(content), filename=name, content_type="image/png")
        for field_name, value in fields.items():
            form.add_field(field_name, value)
        async with self.session.post(self.kie.base_url + UPLOAD, data=form) as response:
            return table(await response.json())

    async def reference(self, content: bytes, name: str = "ref.png") -> str:
        answer = await self.upload(content, name, uploadPath="easel")
        return str(table(answer["data"])["downloadUrl"])


def request(model: str = PRO, callback: str | None = None, **changes: Json) -> dict[str, Json]:
    inputs: dict[str, Json] = {"prompt": "a red fox", "aspect_ratio": "1:1", "resolution": "1K", **changes}
    given: dict[str, Json] = {name: value for name, value in inputs.items() if value is not None}
    body: dict[str, Json] = {"model": model, "input": given}
    return body if callback is None else {**body, "callBackUrl": callback}


def table(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)
    return value


def picture(size: tuple[int, int] = (64, 64), colour: str = "teal", kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, kind)
    return stream.getvalue()


def results(record: dict[str, Json]) -> list[str]:
    packed = record["resultJson"]
    assert isinstance(packed, str)
    urls: list[str] = json.loads(packed)["resultUrls"]
    return urls


@asynccontextmanager
async def open_caller(kie: KieStandIn) -> AsyncGenerator[Caller]:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with kie, aiohttp.ClientSession(headers=headers) as session:
        yield Caller(kie, session)


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with open_caller(KieStandIn(durations=0.02)) as opened:
        yield opened


@dataclass
class Listener:
    """A loopback server that takes callbacks and serves one picture."""

    url: str = ""
    status: int = 200
    calls: list[tuple[dict[str, str], dict[str, Json]]] = field(
        default_factory=list[tuple[dict[str, str], dict[str, Json]]]
    )

    async def take(self, call: web.Request) -> web.Response:
        self.calls.append((dict(call.headers), table(await call.json())))
        return web.Response(status=self.status)

    async def serve(self, _call: web.Request) -> web.Response:
        return web.Response(body=picture(), content_type="image/png")


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    taker = Listener()
    app = web.Application()
    app.router.add_post("/hook", taker.take)
    app.router.add_get("/fox.png", taker.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        taker.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield taker


# The life of a task


async def test_a_task_passes_through_its_states_in_the_documented_shapes() -> None:
    clock, wall = FakeClock(), FakeClock(1_760_000_000.0)
    async with open_caller(KieStandIn(durations=10, clock=clock, wall_clock=wall)) as caller:
        body = request()
        created = await caller.post(CREATE, body)
        task_id = str(table(created["data"])["taskId"])
        assert created == {
            "code": 200,
            "msg": "success",
            "data": {"taskId": task_id, "recordId": task_id},
        }
        assert len(task_id) == 32
        assert int(task_id, 16) >= 0

        states: list[Json] = []
        for _ in range(4):
            pending = await caller.record(task_id)
            states.append(pending["state"])
            assert pending["resultJson"] == ""
            assert (pending["failCode"], pending["failMsg"]) == (None, None)
            assert (pending["costTime"], pending["completeTime"], pending["response"]) == (None, None, None)
            clock.now += 2.4
        assert states == ["waiting", "queuing", "generating", "generating"]

        assert (await caller.record(task_id))["creditsConsumed"] == 5.0
        clock.now += 1
        done = await caller.record(task_id)
    url = f"{caller.kie.base_url}/results/{task_id}-1.png"
    assert done.pop("param") is not None
    assert done == {
        "taskId": task_id,
        "model": PRO,
        "state": "success",
        "resultJson": json.dumps({"resultUrls": [url]}),
        "failCode": None,
        "failMsg": None,
        "costTime": 10,
        "createTime": 1_760_000_000_000,
        "completeTime": 1_760_000_010_000,
        "updateTime": 1_760_000_010_000,
        "creditsConsumed": 5.0,
        "successFlag": 1,
        "response": {"resultUrls": [url]},
    }


async def test_param_is_json_within_json(caller: Caller) -> None:
    record = await caller.record(await caller.create(prompt="Füchse", unheard_of=1))
    outer = json.loads(str(record["param"]))
    assert outer["model"] == PRO
    assert json.loads(outer["input"])["prompt"] == "Füchse"


async def test_durations_may_depend_on_model_and_resolution() -> None:
    asked: list[tuple[str, str]] = []

    def durations(model: str, resolution: str) -> float:
        asked.append((model, resolution))
        return 7.5

    async with open_caller(KieStandIn(durations=durations)) as caller:
        task = caller.kie.tasks[await caller.create(resolution="2K")]
    assert asked == [(PRO, "2K")]
    assert task.duration == 7.5


@pytest.mark.parametrize(
    ("model", "resolution", "price"),
    [
        ("pro-text-to-image", "1K", 5),
        ("pro-text-to-image", "2K", 7),
        ("flex-text-to-image", "1K", 14),
        ("flex-text-to-image", "2K", 24),
    ],
)
async def test_success_is_billed_at_the_price(caller: Caller, model: str, resolution: str, price: int) -> None:
    await caller.ended(await caller.create(f"flux-2/{model}", resolution=resolution))
    assert caller.kie.billed == price
    assert (await caller.get(CREDIT))["data"] == float(1000 - price)


async def test_a_running_task_holds_its_price_and_a_failed_one_gives_it_back(caller: Caller) -> None:
    caller.kie.script.next_tasks(Never(), Fail("500", "generate playground failed"))
    await caller.create()
    failed = await caller.ended(await caller.create())
    assert (failed["state"], failed["failCode"]) == ("fail", "500")
    assert failed["failMsg"] == "generate playground failed"
    assert failed["resultJson"] == ""
    assert caller.kie.billed == 0
    assert caller.kie.balance == 995


# What is refused


async def test_a_wrong_key_is_refused_in_the_body(caller: Caller) -> None:
    headers = {"Authorization": "Bearer other"}
    for method, path in (("POST", CREATE), ("GET", RECORD), ("GET", CREDIT), ("POST", UPLOAD)):
        async with caller.session.request(method, caller.kie.base_url + path, headers=headers) as response:
            assert response.status == 200
            assert (await response.json())["code"] == 401


@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        ({"prompt": None}, 500, "prompt is required"),
        ({"aspect_ratio": None}, 500, "aspect_ratio is required"),
        ({"resolution": None}, 500, "resolution is required"),
        ({"prompt": "ab"}, 422, "prompt"),
        ({"prompt": "x" * 5001}, 422, "prompt"),
        ({"aspect_ratio": "5:4"}, 422, "aspect_ratio"),
        ({"aspect_ratio": "auto"}, 422, "auto"),
        ({"resolution": "4K"}, 422, "resolution"),
        ({"nsfw_checker": "yes"}, 422, "nsfw_checker"),
    ],
)
async def test_wrong_input_is_refused(caller: Caller, changes: dict[str, Json], code: int, word: str) -> None:
    got, msg = await caller.refused(PRO, **changes)
    assert got == code
    assert word in msg
    assert not caller.kie.tasks


@pytest.mark.parametrize(("urls", "code"), [(None, 500), ([], 500), (["u"] * 9, 422), ("u", 422), ([1], 422)])
async def test_references_are_needed_and_at_most_eight(caller: Caller, urls: Json, code: int) -> None:
    got, msg = await caller.refused(PRO_EDIT, input_urls=urls)
    assert got == code
    assert "input_urls" in msg


async def test_unknown_models_routes_and_tasks(caller: Caller) -> None:
    assert (await caller.refused("flux-9/pro"))[0] == 404
    assert await caller.get(RECORD, taskId="nope") == {
        "code": 422,
        "msg": "recordInfo is null",
        "data": None,
    }
    async with caller.session.get(f"{caller.kie.base_url}/api/v1/nowhere") as response:
        assert response.status == 404
        assert (await response.json())["code"] == 404
    async with caller.session.post(caller.kie.base_url + CREATE, data=b"{") as response:
        assert (await response.json())["code"] == 400


async def test_too_many_new_tasks_are_refused_until_the_window_has_passed() -> None:
    clock = FakeClock()
    async with open_caller(KieStandIn(create_limit=2, create_window=10, clock=clock)) as caller:
        await caller.create()
        clock.now += 5
        await caller.create()
        assert (await caller.refused())[0] == 429
        clock.now += 5
        await caller.create()
        assert (await caller.refused())[0] == 429


async def test_too_many_running_tasks_are_refused_until_one_ends() -> None:
    clock = FakeClock()
    async with open_caller(KieStandIn(durations=30, running_limit=2, clock=clock)) as caller:
        await caller.create()
        await caller.create()
        assert (await caller.refused())[0] == 429
        clock.now += 30
        await caller.create()


async def test_a_balance_too_small_is_refused() -> None:
    async with open_caller(KieStandIn(credits=Decimal(11))) as caller:
        await caller.create(resolution="2K")
        assert (await caller.refused())[0] == 402
        assert (await caller.get(CREDIT))["data"] == 4.0


# Uploads and references


async def test_an_upload_is_kept_and_served_without_a_key(caller: Caller) -> None:
    content = picture()
    answer = await caller.upload(content, uploadPath="easel/in", fileName="a fox #1.png")
    data = table(answer["data"])
    assert (answer["success"], answer["code"]) == (True, 200)
    assert data["fileName"] == "a fox #1.png"
    assert data["filePath"] == "easel/in/a fox #1.png"
    assert (data["fileSize"], data["mimeType"]) == (len(content), "image/png")
    assert "uploadedAt" in data
    async with aiohttp.ClientSession() as stranger, stranger.get(str(data["downloadUrl"])) as response:
        assert response.content_type == "image/png"
        assert await response.read() == content
    async with caller.session.get(f"{caller.kie.base_url}/uploads/none.png") as response:
        assert response.status == 404


async def test_an_upload_needs_a_path_and_a_file(caller: Caller) -> None:
    answer = await caller.upload(picture())
    assert (answer["success"], answer["code"]) == (False, 400)
    async with caller.session.post(
        caller.kie.base_url + UPLOAD, data=aiohttp.FormData({"uploadPath": "x"})
    ) as response:
        assert (await response.json())["code"] == 400


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
async def test_uploaded_references_are_used(caller: Caller, kind: str) -> None:
    urls: list[Json] = [await caller.reference(picture((32, 48), kind=kind), f"{n}.x") for n in range(3)]
    record = await caller.ended(await caller.create(PRO_EDIT, input_urls=urls, aspect_ratio="auto"))
    assert record["state"] == "success"
    async with caller.session.get(results(record)[0]) as response:
        with Image.open(io.BytesIO(await response.read())) as painted:
            assert painted.width / painted.height == pytest.approx(32 / 48, rel=0.03)


async def test_a_reference_on_another_loopback_server_is_fetched(caller: Caller, listener: Listener) -> None:
    record = await caller.ended(await caller.create(PRO_EDIT, input_urls=[f"{listener.url}/fox.png"]))
    assert record["state"] == "success"


async def test_what_cannot_be_fetched_or_is_no_picture_fails_the_task(caller: Caller, listener: Listener) -> None:
    bad = [
        f"{caller.kie.base_url}/uploads/never-sent.png",
        f"{listener.url}/none.png",
        "http://192.0.2.1/fox.png",
        "https://example.com/fox.png",
        "not an address",
        await caller.reference(b"plain words", "words.png"),
        await caller.reference(picture() + bytes(10 * 1024 * 1024), "large.png"),
        await caller.reference(picture(kind="BMP"), "old.bmp"),
    ]
    good = await caller.reference(picture(), "good.png")
    for url in bad:
        record = await caller.ended(await caller.create(PRO_EDIT, input_urls=[good, url]))
        assert record["state"] == "fail", url
        assert str(record["failMsg"]).startswith("Image fetch failed.")
    assert caller.kie.billed == 0


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("http://127.0.0.1:80/x", True),
        ("http://127.8.8.8/x", True),
        ("http://localhost/x", True),
        ("http://[::1]:8/x", True),
        ("http://10.0.0.1/x", False),
        ("http://0.0.0.0/x", False),
        ("http://localhost.example.com/x", False),
        ("http://127.0.0.1@example.com/x", False),
        ("file:///etc/hostname", False),
        ("http://[bad", False),
    ],
)
def test_only_this_machine_is_near(address: str, *, near: bool) -> None:
    assert is_loopback(address) is near


# Callbacks


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


# Misbehaviour of calls


async def test_requests_are_recorded_whatever_becomes_of_them(caller: Caller) -> None:
    caller.kie.script.on("createTask", Http429())
    async with caller.session.post(caller.kie.base_url + CREATE, json=request()) as response:
        assert response.status == 429
    await caller.get(RECORD, taskId="abc")
    await caller.upload(b"12345", uploadPath="p")
    create, record, upload = caller.kie.requests
    assert (create.method, create.path, create.json) == ("POST", CREATE, request())
    assert create.headers["authorization"] == f"Bearer {KEY}"
    assert record.query == {"taskId": "abc"}
    assert upload.fields == {"uploadPath": "p"}
    assert upload.files["file"].content == b"12345"
    assert create.at <= record.at <= upload.at


async def test_replies_are_given_once_each_and_in_order(caller: Caller) -> None:
    caller.kie.script.on(
        "credit",
        Code(455, "maintenance"),
        Reply(503, "<down>", "text/plain", {"Retry-After": "9"}),
        Reply(body={"code": 200}),
        Html(502),
        Http429(),
    )
    seen: list[tuple[int, str, str]] = []
    for _ in range(6):
        async with caller.session.get(caller.kie.base_url + CREDIT) as response:
            seen.append((response.status, response.content_type, await response.text()))
            if response.status == 503:
                assert response.headers["Retry-After"] == "9"
    assert [status for status, _, _ in seen] == [200, 503, 200, 502, 429, 200]
    assert json.loads(seen[0][2]) == {"code": 455, "msg": "maintenance", "data": None}
    assert seen[1][1:] == ("text/plain", "<down>")
    assert json.loads(seen[2][2]) == {"code": 200}
    assert seen[3][1] == "text/html"
    assert json.loads(seen[4][2])["code"] == 429
    assert json.loads(seen[5][2])["data"] == 1000.0


async def test_always_lasts_until_cleared(caller: Caller) -> None:
    caller.kie.script.always("credit", Code(500, "no"))
    caller.kie.script.on("credit", Code(429, "first"))
    codes = [(await caller.get(CREDIT))["code"] for _ in range(3)]
    caller.kie.script.clear()
    assert [*codes, (await caller.get(CREDIT))["code"]] == [429, 500, 500, 200]


@pytest.mark.parametrize(("behaviour", "made"), [(CutBefore(), 0), (CutAfter(), 1)])
async def test_a_cut_call_gets_no_answer(caller: Caller, behaviour: Behaviour, made: int) -> None:
    caller.kie.script.on("createTask", behaviour)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await caller.create()
    assert len(caller.kie.tasks) == made
    if made:
        await caller.ended(next(iter(caller.kie.tasks)))
    assert caller.kie.billed == 5 * made


@pytest.mark.parametrize("route", ["createTask", "result"])
async def test_an_answer_can_break_off_in_the_middle(caller: Caller, route: Route) -> None:
    caller.kie.script.on(route, CutMidBody())
    if route == "createTask":
        with pytest.raises(aiohttp.ClientPayloadError):
            await caller.create()
        assert len(caller.kie.tasks) == 1
        return
    record = await caller.ended(await caller.create())
    async with caller.session.get(results(record)[0]) as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_a_late_answer_makes_the_task_though_the_caller_has_gone(caller: Caller) -> None:
    caller.kie.script.on("createTask", Delay(0.1))
    timeout = aiohttp.ClientTimeout(total=0.03)
    with pytest.raises(TimeoutError):
        async with caller.session.post(caller.kie.base_url + CREATE, json=request(), timeout=timeout):
            pass
    assert not caller.kie.tasks
    await until(lambda: caller.kie.tasks, what="the late task")


async def test_a_server_stops_promptly_with_calls_hanging(listener: Listener) -> None:
    kie = KieStandIn(durations=100)
    async with aiohttp.ClientSession() as session:
        async with kie:
            kie.script.always("credit", Hang())
            kie.script.on("recordInfo", Delay(100))
            for path in (CREDIT, RECORD):
                with pytest.raises(TimeoutError):
                    await session.get(kie.base_url + path, timeout=aiohttp.ClientTimeout(total=0.03))
            caller = Caller(kie, session)
            session.headers["Authorization"] = f"Bearer {KEY}"
            await caller.create(callback=f"{listener.url}/hook")
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(kie.base_url + CREDIT)
    assert not listener.calls


# Outcomes of tasks


async def test_outcomes_without_an_end(caller: Caller) -> None:
    caller.kie.script.next_tasks(Never(), UnknownState("paused"))
    never, paused = await caller.create(), await caller.create()
    assert (await caller.record(never))["state"] == "waiting"
    assert (await caller.record(paused))["state"] == "paused"
    await caller.ended(await caller.create())
    assert (await caller.record(never))["state"] == "waiting"
    assert (await caller.record(paused))["state"] == "paused"


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Succeed(urls=("https://elsewhere.example/a.png", "")), ["https://elsewhere.example/a.png", ""]),
        (SucceedWithoutUrls(), []),
    ],
)
async def test_a_success_may_name_any_addresses_or_none(caller: Caller, outcome: Outcome, expected: list[str]) -> None:
    caller.kie.script.next_tasks(outcome)
    record = await caller.ended(await caller.create())
    assert record["state"] == "success"
    assert results(record) == expected
    assert caller.kie.billed == 5


@pytest.mark.parametrize(
    ("outcome", "first"),
    [
        (EmptyData(2), {"code": 200, "msg": "success", "data": {}}),
        (EmptyData(2, null=True), {"code": 200, "msg": "success", "data": None}),
        (NotYetKnown(2), {"code": 422, "msg": "recordInfo is null", "data": None}),
    ],
)
async def test_a_record_can_be_missing_at_first(caller: Caller, outcome: Outcome, first: dict[str, Json]) -> None:
    caller.kie.script.next_tasks(outcome)
    task_id = await caller.create()
    assert [await caller.get(RECORD, taskId=task_id) for _ in range(2)] == [first, first]
    assert (await caller.ended(task_id))["state"] == "success"


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ("[moderated]", "flagged as sensitive"),
        ("[broken]", "Internal Error, Please try again later."),
        ("[unreadable]", "Image fetch failed."),
    ],
)
async def test_a_prompt_can_ask_for_failure(caller: Caller, marker: str, words: str) -> None:
    record = await caller.ended(await caller.create(prompt=f"a fox {marker}"))
    assert record["state"] == "fail"
    assert words in str(record["failMsg"])


async def test_a_prompt_can_ask_for_refusal_or_patience(caller: Caller) -> None:
    assert (await caller.refused(prompt="a fox [nocredits]"))[0] == 402
    assert (await caller.refused(prompt="a fox [maintenance]"))[0] == 455
    assert caller.kie.tasks[await caller.create(prompt="a fox [slow]")].duration == 40
    never = await caller.create(prompt="a fox [Never]")
    assert caller.kie.tasks[never].duration == float("inf")


# Pictures


async def fetch_picture(caller: Caller, url: str) -> tuple[bytes, str]:
    async with aiohttp.ClientSession() as stranger, stranger.get(url) as response:
        assert response.status == 200
        return await response.read(), response.content_type


async def test_results_are_real_pictures_of_the_size_asked_for(caller: Caller) -> None:
    record = await caller.ended(await caller.create(aspect_ratio="16:9", resolution="2K"))
    content, content_type = await fetch_picture(caller, results(record)[0])
    assert content_type == "image/png"
    with Image.open(io.BytesIO(content)) as painted:
        assert painted.format == "PNG"
        assert painted.size == (2736, 1536)
    assert (await fetch_picture(caller, results(record)[0]))[0] == content


async def test_several_results_differ_and_others_do_not_exist(caller: Caller) -> None:
    caller.kie.script.next_tasks(Succeed(urls=2), Never())
    urls = results(await caller.ended(await caller.create()))
    first, second = [(await fetch_picture(caller, url))[0] for url in urls]
    assert first != second
    unfinished = await caller.create()
    for name in (urls[0].replace("-1.", "-3."), "/results/unknown.png", f"/results/{unfinished}-1.png"):
        path = name.removeprefix(caller.kie.base_url)
        async with caller.session.get(caller.kie.base_url + path) as response:
            assert response.status == 404


async def test_equal_requests_paint_equal_pictures_in_every_run() -> None:
    runs: list[bytes] = []
    for _ in range(2):
        async with open_caller(KieStandIn(durations=0)) as caller:
            record = await caller.ended(await caller.create(prompt="ein Fuchs 狐 🦊 " + "sehr " * 900))
            runs.append((await fetch_picture(caller, results(record)[0]))[0])
    assert runs[0] == runs[1]


async def test_load_runs_get_one_small_picture() -> None:
    async with open_caller(KieStandIn(durations=0, paint=False)) as caller:
        contents = [
            (await fetch_picture(caller, results(await caller.ended(await caller.create(prompt=word)))[0]))[0]
            for word in ("one", "two")
        ]
    assert contents[0] == contents[1]
    assert len(contents[0]) < 10_000


async def test_a_picture_can_be_as_heavy_as_wanted(caller: Caller) -> None:
    caller.kie.script.next_tasks(Succeed(noise_megabytes=12))
    record = await caller.ended(await caller.create())
    content, _ = await fetch_picture(caller, results(record)[0])
    assert len(content) / 1024 / 1024 == pytest.approx(12, rel=0.02)


async def test_pictures_come_in_the_format_chosen() -> None:
    async with open_caller(KieStandIn(durations=0, picture_format="JPEG")) as caller:
        url = results(await caller.ended(await caller.create()))[0]
        content, content_type = await fetch_picture(caller, url)
    assert url.endswith(".jpeg")
    assert content_type == "image/jpeg"
    assert content.startswith(b"\xff\xd8")


@pytest.mark.parametrize("ratio", ["1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3"])
@pytest.mark.parametrize(("resolution", "megapixels"), [("1K", 1), ("2K", 4)])
def test_sizes_are_multiples_of_sixteen(ratio: str, resolution: str, megapixels: int) -> None:
    width, height = size_of(ratio, resolution, None)
    wide, high = (int(side) for side in ratio.split(":"))
    assert width % 16 == height % 16 == 0
    assert width * height == pytest.approx(megapixels * 1024 * 1024, rel=0.03)
    assert width / height == pytest.approx(wide / high, rel=0.03)
