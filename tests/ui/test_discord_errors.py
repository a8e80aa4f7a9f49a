"""What Discord's refusals mean, from the answers as the bot has discord.py read them."""

from typing import Any

import aiohttp
import discord
import orjson
import pytest

from bot.discord_answers import json_or_text
from bot.ui.discord_errors import DiscordFault, fault_of

PAGE = "<html><body>403 Forbidden</body></html>"
FORM: dict[str, Any] = {"code": 50035, "message": "Invalid Form Body", "errors": {"components": {"0": {"_errors": []}}}}


class Response:
    """An answer of Discord, or of a proxy in its place."""

    def __init__(self, status: int, body: Any) -> None:
        self.status, self.reason = status, "refused"
        self.headers = {"Content-Type": "text/html" if isinstance(body, str) else "application/json; charset=utf-8"}
        self._text = body if isinstance(body, str) else orjson.dumps(body).decode()

    async def text(self, **_encoding: str) -> str:
        return self._text


async def refused(status: int, body: Any) -> discord.HTTPException:
    """What discord.py raises for it."""
    response: Any = Response(status, body)
    try:
        return discord.HTTPException(response, await json_or_text(response))
    except discord.HTTPException as error:
        return error


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        *[(status, PAGE, DiscordFault.LATER) for status in (400, 401, 403, 404, 429, 502)],
        (401, {"message": "401: Unauthorized", "code": 0}, DiscordFault.LATER),
        (403, {"error": "forbidden"}, DiscordFault.LATER),
        (403, {"code": "forbidden"}, DiscordFault.LATER),
        (403, {"code": {"text": "forbidden"}}, DiscordFault.LATER),
        (502, '{"code": 10008', DiscordFault.LATER),
        (403, '["code"]', DiscordFault.LATER),
        # Some proxies change the content type.
        (404, '{"code": 10008, "message": "Unknown Message"}', DiscordFault.MESSAGE_GONE),
        (400, '{"code": 200000, "message": "Message was blocked by automatic moderation"}', DiscordFault.CONTENT),
        (404, {"code": 404}, DiscordFault.LATER),
        (403, {"message": "internal network error", "code": 40333}, DiscordFault.LATER),
        (413, "<html>413 Request Entity Too Large</html>", DiscordFault.TOO_LARGE),
        (400, {"code": 50045, "message": "File uploaded exceeds the maximum size"}, DiscordFault.TOO_LARGE),
        (404, {"code": 10008, "message": "Unknown Message"}, DiscordFault.MESSAGE_GONE),
        (401, {"code": 50027, "message": "Invalid Webhook Token"}, DiscordFault.INTERACTION_GONE),
        (400, {"code": 50083, "message": "Thread is archived"}, DiscordFault.REFUSED),
        (429, {"code": 30046, "message": "Try again later.", "retry_after": 3600}, DiscordFault.REFUSED),
        (400, {"code": 59999, "message": "A code of next year"}, DiscordFault.REFUSED),
        (500, {"code": 59999, "message": "A code of next year"}, DiscordFault.LATER),
        (400, {"code": 200000, "message": "Message was blocked by automatic moderation"}, DiscordFault.CONTENT),
        (400, {"code": 240000, "message": "Message blocked by harmful links filter"}, DiscordFault.CONTENT),
        (400, FORM, DiscordFault.CONTENT),
    ],
)
async def test_a_refusal_means_what_its_code_says(status: int, body: Any, fault: DiscordFault) -> None:
    assert fault_of(await refused(status, body)) is fault


@pytest.mark.parametrize("error", [TimeoutError(), aiohttp.ServerDisconnectedError()])
def test_an_unreached_discord_says_nothing(error: Exception) -> None:
    assert fault_of(error) is DiscordFault.LATER
