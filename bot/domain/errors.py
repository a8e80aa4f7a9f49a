"""All errors that Easel raises on purpose. The text that a member reads for a :class:`UserError` is in bot/ui/texts."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.credits import Credits
from bot.domain.ids import ChannelId
from bot.domain.rules import Cap
from bot.domain.settings import CheaperOption
from bot.domain.states import Failure


class EaselError(Exception):
    """The base class of all of them."""


class UserError(EaselError):
    """Something the member can act on. Nothing was charged."""


class Ignored(EaselError):
    """The interaction or message was handled before, or is not for the bot; it is not answered."""


class RequestInterrupted(UserError):
    """The process hung before it could accept the request, and another one has told the member that it is lost."""


class OperatorError(EaselError):
    """Something the operator has to fix before Easel can run; the message is one sentence that says what."""


@dataclass(eq=False)
class PromptLength(UserError):
    """The prompt is too short or too long."""

    length: int
    minimum: int
    maximum: int


class AutoNeedsReference(UserError):
    """The aspect ratio ``auto`` needs a reference to take it from."""


class ControlsNeedFlex(UserError):
    """Steps or guidance were given for another model than flex."""


class ReferenceProblem(StrEnum):
    """What is wrong with an image that a member attached."""

    TOO_LARGE = "too_large"
    NOT_AN_IMAGE = "not_an_image"
    DAMAGED = "damaged"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_SLOW = "too_slow"
    INVISIBLE = "invisible"
    UNREACHABLE = "unreachable"


@dataclass(eq=False)
class ReferenceRefused(UserError):
    """An image cannot be used as a reference."""

    filename: str
    problem: ReferenceProblem


class ReferencesGone(UserError):
    """The references of an earlier generation are no longer kept."""


@dataclass(eq=False)
class TooManyImages(UserError):
    """More references than KIE accepts."""

    surplus: tuple[str, ...] = ()
    """The file names beyond the limit."""


@dataclass(eq=False)
class PromptFileRefused(UserError):
    """A long message, which Discord sends as a text file, cannot be read as a prompt."""

    filename: str
    too_long: bool


class NoSourceImage(UserError):
    """The message has no image to edit."""


class StickerUnreadable(UserError):
    """The only image of a message is a sticker that Discord keeps as an animation in JSON (Lottie)."""


class QuestionGone(UserError):
    """The question was answered, replaced by another, or withdrawn."""


class PriceChanged(UserError):
    """The question named another price than what the image costs now."""


class DraftGone(UserError):
    """The modal was submitted after its draft was deleted."""


class UploadFailed(UserError):
    """KIE's file service did not accept a reference."""


class TooManyImagesWaiting(UserError):
    """References were not prepared in time because other members' images were being prepared."""


@dataclass(eq=False)
class NotEnoughCredits(UserError):
    """Allowance and bonus together do not cover the price."""

    price: Credits
    left: Credits
    allowance: Credits
    renews_at: datetime
    affordable: tuple[CheaperOption, ...] = ()
    """What the member could make instead."""
    can_ask: bool = False
    """The server takes requests for more credits."""


@dataclass(eq=False)
class CapReached(UserError):
    """A cap over several members leaves too little."""

    cap: Cap
    price: Credits
    left: Credits
    renews_at: datetime
    affordable: tuple[CheaperOption, ...] = ()


@dataclass(eq=False)
class ChannelNotAllowed(UserError):
    """The server's admins allow the bot only in ``channels``."""

    channels: tuple[ChannelId, ...]


class MayNotPost(UserError):
    """The bot lacks the permissions to post images in this channel."""


class NotReadyYet(UserError):
    """Discord has not described this server yet, so nobody's roles are known."""


class ServerNotAllowed(UserError):
    """The operator lists the servers that may use the bot, and this is not one of them."""


class NotInServer(UserError):
    """The bot is not a member of the place that the interaction comes from: it was installed without the bot."""


class DirectMessagesOff(UserError):
    """The operator does not allow direct messages."""


class NotAManager(UserError):
    """The command or button is for quota managers."""


class NeedsManageServer(UserError):
    """A quota manager without Manage Server may not change limits and settings."""


class GrantToOneself(UserError):
    """A quota manager without Manage Server may not grant credits to their own account."""


@dataclass(eq=False)
class ManagerLimitReached(UserError):
    """A quota manager without Manage Server has granted too much in this month."""

    limit: Credits
    left: Credits
    renews_at: datetime


@dataclass(eq=False)
class CreditsMissing(UserError):
    """A rule with a period was set without an amount."""

    period: str


@dataclass(eq=False)
class UnknownZone(UserError):
    """No IANA time zone has that name."""

    name: str


class NothingToChange(UserError):
    """A command was used without any option that changes something."""


class LimitNotChosen(UserError):
    """The command that removes limits was used without saying which."""


class NoRequestsChannel(UserError):
    """The server has no channel for credit requests, or the bot cannot post there."""


@dataclass(eq=False)
class AlreadyRequested(UserError):
    """The member's last credit request is still open."""

    expires_at: datetime


class CreditRequestClosed(UserError):
    """The credit request was decided already, or has expired."""


@dataclass(eq=False)
class BadAmount(UserError):
    """The text is not a valid amount of credits."""

    text: str


@dataclass(eq=False)
class TooManyOpen(UserError):
    """The member has reached the limit of open generations."""

    limit: int


class NotYours(UserError):
    """Only the requester may use this button."""


class TooLateToCancel(UserError):
    """KIE already has every task of the generation, and tasks there cannot be cancelled."""


@dataclass(eq=False)
class SubmissionsPaused(UserError):
    """KIE refuses the operator's account, so no request is accepted: it is out of credits, or its key is refused."""

    reason: Failure = Failure.OUT_OF_CREDITS


@dataclass(eq=False)
class RequestsPaused(UserError):
    """The operator has paused requests, for a reason in their own words."""

    reason: str


class ResultsPaused(UserError):
    """The last finished images could not be fetched, so no request is accepted until one arrives."""


@dataclass(eq=False)
class BackupFailed(UserError):
    """The database was not backed up; the reason is a clause for the operator."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class WordsDeleted(UserError):
    """What the member wrote and attached for this generation was deleted because of its age."""

    made_at: datetime


class GenerationGone(UserError):
    """The store has no generation for this message."""


class StoreUnavailable(EaselError):
    """The database is locked, full, read-only or out of reach; the same transaction may succeed later."""


class UnreadableRow(EaselError):
    """A row that a newer version or a damaged disk has written; the others can be read."""


class DiskError(EaselError):
    """A file cannot be written or read, since the disk is full or failing; it may work later."""
