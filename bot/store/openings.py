"""Cards that were opened and are no generation yet: a small file each, so that they can be found after a crash.

Files, because a card is opened for every wish and mostly for some milliseconds: what matters is that they outlive the
process, not that they outlive the machine's power.
"""

from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from bot.domain.generation import Opening
from bot.domain.ids import OpeningId

log = structlog.stdlib.get_logger(__name__)

_SUFFIX = ".json"
_FILE = TypeAdapter(Opening)


class Openings:
    """A private folder of cards. Trouble with the disk is logged: it must not keep a wish from being accepted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._noted: set[OpeningId] = set()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._left = [found for path in sorted(folder.glob(f"*{_SUFFIX}")) if (found := _read(path)) is not None]

    @property
    def left(self) -> list[Opening]:
        """What earlier processes opened and did not come to an end with."""
        return self._left

    def note(self, opening: Opening) -> None:
        """Write a card down, or what has since become known of it."""
        self._noted.add(opening.id)
        try:
            self._path(opening.id).write_bytes(_FILE.dump_json(opening))
        except OSError as error:
            log.warning("an opened card could not be written down", error=error.strerror)

    def close(self, opening: OpeningId | None) -> None:
        """The card shows a generation, or a refusal; harmless to repeat, and for what was never noted."""
        if opening is not None and opening in self._noted:
            self._noted.discard(opening)
            self._path(opening).unlink(missing_ok=True)

    def told(self, opening: Opening) -> None:
        """A card that an earlier process left has been seen to."""
        self._path(opening.id).unlink(missing_ok=True)

    def _path(self, opening: OpeningId) -> Path:
        return self._folder / f"{opening}{_SUFFIX}"


def _read(path: Path) -> Opening | None:
    try:
        return _FILE.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        # The process died while it wrote: Discord had not been asked for the card yet.
        path.unlink(missing_ok=True)
        return None
