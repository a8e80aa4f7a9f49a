"""Long messages: Discord sends what is above its limit for a message as a text file, which is then the prompt."""

import asyncio
import tempfile
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from typing import Final

from bot.domain.errors import PromptFileRefused
from bot.domain.generation import Source
from bot.media.fetch import Fetcher, FetchFailed, FetchRefused, FetchTooLarge

PROMPT_FILE_MAX_BYTES: Final = 100_000
"""Five times what 5,000 characters can take in UTF-8, so that the refusal of a longer prompt can count them."""


class PromptFiles:
    """Reads such files, under the same rules for downloads as images."""

    def __init__(self, fetcher: Fetcher, folder: Path | None = None) -> None:
        self._fetcher = fetcher
        self._folder = folder

    async def read(self, file: Source) -> str:
        """The text of a file of at most 100 kB in UTF-8, or in UTF-16 if it says so. Raises PromptFileRefused."""
        if file.size > PROMPT_FILE_MAX_BYTES:
            raise PromptFileRefused(file.filename, too_long=True)
        with tempfile.TemporaryDirectory(prefix="easel-", dir=self._folder) as folder:
            path = Path(folder) / "prompt"
            try:
                await self._fetcher.to_file(file.url, path, PROMPT_FILE_MAX_BYTES)
                data = await asyncio.to_thread(path.read_bytes)
                return data.decode("utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig")
            except FetchTooLarge as error:
                raise PromptFileRefused(file.filename, too_long=True) from error
            except (FetchRefused, FetchFailed, UnicodeDecodeError) as error:
                raise PromptFileRefused(file.filename, too_long=False) from error
