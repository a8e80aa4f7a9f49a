"""What Discord's refusals mean, from the payloads as discord.py reads them."""

from typing import Any

import aiohttp
import discord
import pytest

from bot.ui.discord_errors import DiscordFault, fault_of

PAGE = "<html><body>403 Forbidden</body></html>"
FORM: dict[str, Any] = {"code": 50035, "message": "Invalid Form Body", "errors": {"components": {"0": {"_errors": []}}}}


class Response:
    """What discord.py reads of an answer besides its body."""

    def __init__(self, status: int) -> None:
        self.status, self.reason = status, "refused"


def refused(status: int, body: Any) -> discord.HTTPException:
    response: Any = Response(status)
    return discord.HTTPException(response, body)


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
        # Not parsed by discord.py, because the content type is not exactly application/json.
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
def test_a_refusal_means_what_its_code_says(status: int, body: Any, fault: DiscordFault) -> None:
    assert fault_of(refused(status, body)) is fault


@pytest.mark.parametrize("error", [TimeoutError(), aiohttp.ServerDisconnectedError()])
def test_an_unreached_discord_says_nothing(error: Exception) -> None:
    assert fault_of(error) is DiscordFault.LATER
