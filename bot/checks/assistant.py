"""The prompt helper's endpoint: asked once, as for a member, which proves address, key and model."""

from typing import Final

import aiohttp

from bot import options
from bot.assistant import Assistant
from bot.checks.lines import CheckLine, failed, ok, skipped
from bot.config import Config
from bot.domain.assistant import AssistantFailed, AssistantProblem
from bot.domain.ids import UserId
from bot.runtime import SystemClock

_NAME: Final = "assistant"


async def check_assistant(session: aiohttp.ClientSession, config: Config) -> list[CheckLine]:
    """Whether it proposes other words for a prompt."""
    used = options.assistant_options(config)
    if used is None:
        return [skipped(_NAME, "off, as assistant.base_url is not set")]
    try:
        await Assistant(session, used, SystemClock()).reword(UserId(0), "a red fox in snow", edits=False)
    except AssistantFailed as error:
        match error.problem:
            case AssistantProblem.KEY_REFUSED:
                return [failed(_NAME, f"{used.base_url} refused the key", "copy it again into assistant.api_key")]
            case AssistantProblem.BUSY:
                return [
                    failed(_NAME, f"{used.base_url} takes no more requests now", "see your limits and balance there")
                ]
            case AssistantProblem.UNUSABLE:
                fix = "choose one that follows instructions: assistant.model"
                return [failed(_NAME, f"{used.model} answers, but not with three prompts", fix)]
            case _:
                fix = "see assistant.base_url, which often ends with /v1, and assistant.model"
                return [failed(_NAME, f"{used.base_url} does not answer as OpenAI's API ({error})", fix)]
    return [ok(_NAME, f"{used.model} answers with three prompts")]
