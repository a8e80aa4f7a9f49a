"""The prompt helper's endpoint: what its answers mean, and how long and how often it is asked."""

import asyncio
import json
from collections.abc import AsyncGenerator

import aiohttp
import pytest
from aiohttp import web

from bot.assistant import Assistant, AssistantOptions
from bot.checks.assistant import check_assistant
from bot.checks.lines import CheckOutcome
from bot.config import Config
from bot.config.sections import AssistantConfig
from bot.domain.assistant import AssistantFailed, AssistantProblem, rewordings_in
from bot.domain.ids import UserId
from bot.network import client_session
from bot.runtime import SystemClock
from demo.assistant import AssistantStandIn
from tests.waiting import until

THREE = ("a fox in snow", "a fox at dawn", "a fox asleep")
ALICE = UserId(7)


@pytest.fixture
async def stand_in() -> AsyncGenerator[AssistantStandIn, None]:
    async with AssistantStandIn() as stand_in:
        yield stand_in


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession, None]:
    async with client_session() as session:
        yield session


def assistant(session: aiohttp.ClientSession, stand_in: AssistantStandIn) -> Assistant:
    return Assistant(session, AssistantOptions(stand_in.base_url, "", "small", 100), SystemClock())


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps(THREE),
        f"Here you are:\n```json\n{json.dumps({'prompts': THREE}, indent=1)}\n```\nEnjoy!",
        "<think>[maybe] 1. this</think>" + json.dumps(THREE),
        "Sure!\n1. a fox in snow\n2) a fox at dawn\n  3. a fox asleep\n",
        json.dumps([THREE[0], "ab", 5, "x" * 501, THREE[0], "a fox\nat\u202e dawn", "a fox asleep", "a fourth"]),
    ],
    ids=["a list", "a list in an object", "after thoughts", "numbered lines", "with what is unusable"],
)
def test_three_prompts_are_found_in_an_answer(answer: str) -> None:
    assert rewordings_in(answer) == THREE


@pytest.mark.parametrize("answer", ["", "I can't help with that.", "[1, 2", "[]", "{}", "[[[", "a [list] of words"])
def test_other_answers_hold_none(answer: str) -> None:
    assert rewordings_in(answer) == ()


async def test_without_a_key_none_is_sent_and_words_for_a_new_image_are_asked_for(
    session: aiohttp.ClientSession, stand_in: AssistantStandIn
) -> None:
    assert len(await assistant(session, stand_in).reword(ALICE, "a fox", edits=False)) == 3
    ((key, body),) = stand_in.requests
    assert key == ""
    assert "cannot see" not in body["messages"][0]["content"]


async def test_few_are_asked_at_once_and_none_waits_for_ever(
    session: aiohttp.ClientSession, stand_in: AssistantStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.held, asked = asyncio.Event(), assistant(session, stand_in)
    waiting = [asyncio.ensure_future(asked.reword(ALICE, "a fox", edits=False)) for _ in range(6)]
    await until(lambda: len(stand_in.requests) == 4, what="four requests")
    stand_in.held.set()
    await asyncio.gather(*waiting)
    assert len(stand_in.requests) == 6

    stand_in.held = asyncio.Event()
    monkeypatch.setattr("bot.assistant._SECONDS", 0.05)
    with pytest.raises(AssistantFailed) as failed:
        await asked.reword(ALICE, "a fox", edits=False)
    assert failed.value.problem is AssistantProblem.UNREACHABLE


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("I can't help with that.", AssistantProblem.UNUSABLE),
        (json.dumps(THREE[:2]), AssistantProblem.UNUSABLE),
        (web.json_response({"choices": []}), AssistantProblem.UNUSABLE),
        (web.Response(text="<html>"), AssistantProblem.UNUSABLE),
        (web.Response(status=401), AssistantProblem.KEY_REFUSED),
        (web.Response(status=403), AssistantProblem.KEY_REFUSED),
        (web.Response(status=429), AssistantProblem.BUSY),
        (web.Response(status=502, text="<html>"), AssistantProblem.UNREACHABLE),
        (web.Response(body=b"x" * (1 << 17)), AssistantProblem.UNREACHABLE),
    ],
    ids=["declined", "two", "no choice", "a page", "key", "forbidden", "busy", "broken", "too large"],
)
async def test_what_is_wrong_with_an_answer(
    session: aiohttp.ClientSession, stand_in: AssistantStandIn, answer: str | web.Response, problem: AssistantProblem
) -> None:
    stand_in.answer = answer
    with pytest.raises(AssistantFailed) as failed:
        await assistant(session, stand_in).reword(ALICE, "a secret fox", edits=False)

    assert failed.value.problem is problem
    assert "secret" not in str(failed.value)


async def test_a_redirect_is_not_followed(session: aiohttp.ClientSession, stand_in: AssistantStandIn) -> None:
    async with AssistantStandIn() as other:
        location = {"Location": f"{other.base_url}/chat/completions"}
        stand_in.answer = web.Response(status=307, headers=location)
        with pytest.raises(AssistantFailed):
            await assistant(session, stand_in).reword(ALICE, "a fox", edits=False)
        assert other.requests == []


@pytest.mark.parametrize(
    ("answer", "detail", "fix"),
    [
        (None, "small answers with three prompts", ""),
        ("No.", "small answers, but not with three prompts", "assistant.model"),
        (web.Response(status=401), "refused the key", "assistant.api_key"),
        (web.Response(status=429), "takes no more requests now", "limits and balance"),
        (web.Response(status=404), "does not answer as OpenAI's API (it answered 404)", "/v1"),
    ],
    ids=["works", "unusable", "key", "busy", "address"],
)
async def test_what_check_says(
    session: aiohttp.ClientSession,
    stand_in: AssistantStandIn,
    answer: str | web.Response | None,
    detail: str,
    fix: str,
) -> None:
    stand_in.answer = answer
    config = Config(assistant=AssistantConfig(base_url=stand_in.base_url, model="small"))
    (line,) = await check_assistant(session, config)

    assert line.outcome is (CheckOutcome.FAILED if fix else CheckOutcome.OK)
    assert detail in line.detail
    assert fix in line.fix


async def test_check_says_that_nothing_answers(session: aiohttp.ClientSession) -> None:
    config = Config(assistant=AssistantConfig(base_url="http://127.0.0.1:1/v1", model="small"))
    (line,) = await check_assistant(session, config)

    assert "http://127.0.0.1:1/v1 does not answer" in line.detail


@pytest.mark.parametrize(
    "values", [{"base_url": "https://x.example/v1"}, {"base_url": "http://x.example", "model": "m"}]
)
def test_an_endpoint_needs_a_model_and_encryption(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"model is missing|only allowed for this machine"):
        AssistantConfig.model_validate(values)
