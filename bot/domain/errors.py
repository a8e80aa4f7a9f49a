"""One hierarchy of errors. What a member reads for each :class:`UserError` stands in bot/ui/texts."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.credits import Credits
from bot.domain.ids import ChannelId
from bot.domain.rules import Cap
from bot.domain.settings import CheaperOption
from bot.domain.states import Failure


class EaselError(Exception):
    """Base of everything that Easel raises on purpose."""


class UserError(EaselError):
    """Something the member can act on. Nothing was charged."""


class OperatorError(EaselError):
    """Something the operator must mend before Easel can run; its text is one sentence that says what."""


@dataclass(eq=False)
class PromptLength(UserError):
    """The prompt is too short or too long."""

    length: int
    minimum: int
    maximum: int


class AutoNeedsReference(UserError):
    """The aspect ratio ``auto`` takes a reference's, and there is none."""


class ControlsNeedFlex(UserError):
    """Steps and guidance were given for a model that has no such controls."""


class ReferenceProblem(StrEnum):
    """What is wrong with a picture that a member attached."""

    TOO_LARGE = "too_large"
    NOT_AN_IMAGE = "not_an_image"
    DAMAGED = "damaged"
    TOO_MANY_PIXELS = "too_many_pixels"
    UNREACHABLE = "unreachable"


@dataclass(eq=False)
class ReferenceRefused(UserError):
    """A picture cannot be used as a reference."""

    filename: str
    problem: ReferenceProblem


class ReferencesGone(UserError):
    """The pictures of an earlier wish are not kept any more."""


class TooManyImages(UserError):
    """More pictures than a prompt may work from."""


class NoSourceImage(UserError):
    """There is no picture to work from in the message."""


class DraftGone(UserError):
    """The modal was open for so long that what it was about is forgotten."""


class UploadFailed(UserError):
    """KIE's file service did not take a reference."""


@dataclass(eq=False)
class NotEnoughCredits(UserError):
    """Allowance and bonus together do not cover the price."""

    price: Credits
    left: Credits
    allowance: Credits
    renews_at: datetime
    affordable: tuple[CheaperOption, ...] = ()
    """What could be had instead."""
    can_ask: bool = False
    """There is somebody to ask for more."""


@dataclass(eq=False)
class CapReached(UserError):
    """A limit over several members leaves too little."""

    cap: Cap
    price: Credits
    left: Credits
    renews_at: datetime
    affordable: tuple[CheaperOption, ...] = ()


@dataclass(eq=False)
class ChannelNotAllowed(UserError):
    """The server's admins allow the bot in other channels only."""

    channels: tuple[ChannelId, ...]


class MayNotPost(UserError):
    """The bot may not post pictures in this place."""


class NotReadyYet(UserError):
    """Discord has not yet told what this server looks like, so nobody's roles are known."""


class NotAManager(UserError):
    """The command or button is for those who manage the server's quotas."""


@dataclass(eq=False)
class CreditsMissing(UserError):
    """A rule with a period was set without an amount."""

    period: str


@dataclass(eq=False)
class UnknownZone(UserError):
    """There is no time zone of that name."""

    name: str


class NothingToChange(UserError):
    """A command was used without saying what to do."""


class NoRequestsChannel(UserError):
    """The server has no channel for requests, or the bot may not post there."""


@dataclass(eq=False)
class AlreadyRequested(UserError):
    """The member's last request is still open."""

    expires_at: datetime


class CreditRequestClosed(UserError):
    """The request was decided by somebody else, or has expired."""


@dataclass(eq=False)
class BadAmount(UserError):
    """What was typed is no amount of credits."""

    text: str


@dataclass(eq=False)
class TooManyOpen(UserError):
    """The member has as many open generations as one may have."""

    limit: int


class NotYours(UserError):
    """A button meant for the one who asked was pressed by someone else."""


class TooLateToCancel(UserError):
    """KIE already has every task of the generation; it has no way to cancel."""


class SubmissionsPaused(UserError):
    """The operator's account at KIE has run out of credits: nobody's wish is taken until it has some."""


class GenerationGone(UserError):
    """The message's generation is not in the store."""


class ImageApiError(EaselError):
    """The image API did not do as asked."""


@dataclass(eq=False)
class TaskRefused(ImageApiError):
    """The API surely did not take the task and will not: asking again would not help."""

    failure: Failure
    detail: str = ""


@dataclass(eq=False)
class TryLater(ImageApiError):
    """The API surely did not take the task; the same call may succeed later."""

    failure: Failure
    detail: str = ""


@dataclass(eq=False)
class Ambiguous(ImageApiError):
    """Nobody can know whether the API took the task: it must never be sent again."""

    detail: str = ""


@dataclass(eq=False)
class PollFailed(ImageApiError):
    """A question failed, which says nothing about what was asked after."""

    detail: str = ""


class StoreUnavailable(EaselError):
    """The database is locked, full, or not to be written; what was to be done may work later."""


class DiskError(EaselError):
    """A file cannot be written or read: the disk is full or failing; it may work later."""


class ResultUnavailable(EaselError):
    """A finished image cannot be had: gone, refused, too large, or not an image."""


class DeliveryFailed(EaselError):
    """Discord did not take the post this time; it may later."""


class TooLargeToPost(EaselError):
    """The place takes smaller files than it said."""


class Undeliverable(EaselError):
    """No message can be posted where the generation belongs."""
