"""Styles: named templates around what a member asks for. Reference sets: images saved under a name."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from bot.domain.credits import Account
from bot.domain.generation import Reference
from bot.domain.ids import DIRECT_MESSAGES, GuildId, ReferenceSetId, StyleId, UserId
from bot.domain.settings import AspectRatio, Model
from bot.domain.style_errors import NameMissing
from bot.domain.text import clean

NAME_MAX: Final = 40
TEMPLATE_MAX: Final = 2000
"""Characters; three thousand of KIE's limit are left for the member's words."""
STYLES_MAX: Final = 25
SERVER_STYLES_MAX: Final = 50
SETS_MAX: Final = 10
SERVER_SETS_MAX: Final = 10
SET_BYTES_MAX: Final = 100_000_000
"""Of all images in the sets of a member or a server."""


class Shared(StrEnum):
    """For whom a style or reference set is; the value is what options of commands say."""

    SERVER = "server"
    OWN = "own"
    BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a style or reference set is: a member's, in every server, or a server's. The other id is 0."""

    user_id: UserId
    guild_id: GuildId

    @classmethod
    def member(cls, user_id: UserId) -> "Owner":
        """What is theirs, everywhere."""
        return cls(user_id, GuildId(0))

    @classmethod
    def server(cls, guild_id: GuildId) -> "Owner":
        """What belongs to a server."""
        return cls(UserId(0), guild_id)

    @property
    def shared(self) -> Shared:
        """For whom it is; those of nobody are built in."""
        if self.user_id:
            return Shared.OWN
        return Shared.SERVER if self.guild_id else Shared.BUILT_IN


@dataclass(frozen=True, slots=True)
class Saved:
    """What is saved under a name, unique among its owner's."""

    owner: Owner
    name: str

    @property
    def key(self) -> str:
        """By which it is found."""
        return key_of(self.name)

    @property
    def choice(self) -> str:
        """What an option of a command says of it, once chosen; readable, since a member may see it."""
        return f"{self.owner.shared.value}:{self.name}"


@dataclass(frozen=True, slots=True)
class Style(Saved):
    """A template, and perhaps how to make the image. A command's own options come first."""

    id: StyleId
    template: str
    model: Model | None = None
    aspect_ratio: AspectRatio | None = None
    reference_set: ReferenceSetId | None = None
    """Of the same owner."""


@dataclass(frozen=True, slots=True)
class SavedImage:
    """An image of a reference set, by the SHA-256 of its bytes in hex."""

    filename: str
    digest: str
    size: int
    spoiler: bool = False
    """It was hidden on Discord, so what is made from it is."""


@dataclass(frozen=True, slots=True)
class ReferenceSet(Saved):
    """Images that a member or a server has saved; at least one, at most as many as KIE takes."""

    id: ReferenceSetId
    images: tuple[SavedImage, ...] = ()

    @property
    def references(self) -> tuple[Reference, ...]:
        """Its images, without an address that KIE can fetch; a member's own stay theirs, a server's are for all."""
        owner = self.owner.user_id or None
        return tuple(Reference("", image.filename, image.digest, owner) for image in self.images)


_Saved = TypeVar("_Saved", bound=Saved)


def find(saved: Iterable[_Saved], text: str) -> _Saved | None:
    """What was chosen in an option, or the first with the name that was typed there."""
    options = list(saved)
    kind, _, name = text.partition(":")
    chosen = [one for one in options if one.owner.shared == kind.strip() and one.key == key_of(name)]
    return next(iter([*chosen, *(one for one in options if one.key == key_of(text))]), None)


def owners(account: Account) -> list[Owner]:
    """Whose styles and sets a member can use in a place."""
    mine = [Owner.member(account.user_id)]
    return mine if account.guild_id == DIRECT_MESSAGES else [Owner.server(account.guild_id), *mine]


def valid_name(text: str) -> str:
    """A name on one line, without what cannot be seen. Raises NameMissing."""
    name = clean(text)[:NAME_MAX].strip()
    if not name:
        raise NameMissing
    return name


def key_of(name: str) -> str:
    """Names that differ in case and spaces alone are the same."""
    return clean(name).casefold()
