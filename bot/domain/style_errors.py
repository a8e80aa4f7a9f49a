"""Why a style or a reference set cannot be used or saved."""

from dataclasses import dataclass

from bot.domain.errors import UserError


@dataclass(eq=False)
class NoSuchStyle(UserError):
    """There is no style of that name, or no longer."""

    name: str


@dataclass(eq=False)
class NoSuchSet(UserError):
    """There is no reference set of that name, or no longer."""

    name: str


class BuiltInStyle(UserError):
    """A style that is built in cannot be changed or removed."""


@dataclass(eq=False)
class TooLongWithStyle(UserError):
    """Prompt and template together are longer than KIE takes."""

    style: str
    length: int
    """Of the member's words."""
    maximum: int
    """How long they may be with this style."""


@dataclass(eq=False)
class BadTemplate(UserError):
    """A template says more than once where the member's words go, is too long, or says nothing beside them."""

    places: int
    length: int


class NameMissing(UserError):
    """A name has no character that can be seen."""


@dataclass(eq=False)
class NameTaken(UserError):
    """The member, or the server, has another style of that name."""

    name: str


@dataclass(eq=False)
class TooManyStyles(UserError):
    """The member, or the server, has as many styles as it can."""

    limit: int


@dataclass(eq=False)
class TooManySets(UserError):
    """The member, or the server, has as many reference sets as it can."""

    limit: int


class SetsTooLarge(UserError):
    """The images of all sets of the member, or the server, would be too large together."""


class NoRoomForSets(UserError):
    """The images of all sets, of everybody, would take more room than the operator gives them."""


@dataclass(eq=False)
class SetFull(UserError):
    """A set would have more images than KIE takes."""

    name: str
    images: int
    """How many it has already."""


@dataclass(eq=False)
class TooManyWithSet(UserError):
    """A set and the attached images are together more than KIE takes."""

    name: str
    images: int
    attached: int


@dataclass(eq=False)
class SetImagesGone(UserError):
    """The files of a set are lost."""

    name: str
