"""The life of a task, as a table of allowed moves."""

from collections.abc import Mapping
from enum import StrEnum


class TaskState(StrEnum):
    """Where a task stands. Every move is one transaction; see docs/architecture.md for the picture."""

    RESERVED = "reserved"
    """Credits are set aside; KIE has not been asked."""
    SUBMITTING = "submitting"
    """KIE is being asked, or was when the process died: never to be asked again."""
    RUNNING = "running"
    """KIE has it and gave it an id."""
    READY = "ready"
    """KIE has made the image; its address is in the row."""
    DELIVERED = "delivered"
    """Posted and paid."""
    OVERDUE = "overdue"
    """Past its deadline: refunded and told, but still watched, since KIE may yet make it."""
    FAILED = "failed"
    """Ended without an image; refunded."""
    CANCELLED = "cancelled"
    """Taken back by the member before KIE was asked; refunded."""


MOVES: Mapping[TaskState, frozenset[TaskState]] = {
    TaskState.RESERVED: frozenset({TaskState.SUBMITTING, TaskState.CANCELLED, TaskState.FAILED}),
    TaskState.SUBMITTING: frozenset({TaskState.RESERVED, TaskState.RUNNING, TaskState.FAILED}),
    TaskState.RUNNING: frozenset({TaskState.READY, TaskState.OVERDUE, TaskState.FAILED}),
    TaskState.READY: frozenset({TaskState.DELIVERED, TaskState.FAILED}),
    TaskState.OVERDUE: frozenset({TaskState.READY, TaskState.FAILED}),
    TaskState.DELIVERED: frozenset(),
    TaskState.FAILED: frozenset(),
    TaskState.CANCELLED: frozenset(),
}
"""From each state, where a task may go. Back to RESERVED only when KIE surely did not take the task."""

REFUNDED = frozenset({TaskState.OVERDUE, TaskState.FAILED, TaskState.CANCELLED})
"""States in which nothing is charged."""

OPEN = frozenset({TaskState.RESERVED, TaskState.SUBMITTING, TaskState.RUNNING, TaskState.READY})
"""States in which the member is still waiting."""


class Failure(StrEnum):
    """Why there is no image, as far as a member can use it."""

    MODERATED = "moderated"
    OUT_OF_CREDITS = "out_of_credits"
    MAINTENANCE = "maintenance"
    KEY_REFUSED = "key_refused"
    REJECTED = "rejected"
    REFERENCE_UNREADABLE = "reference_unreadable"
    TOO_SLOW = "too_slow"
    UNAVAILABLE = "unavailable"
    BROKEN = "broken"
    NO_IMAGE = "no_image"
    UNKNOWN_OUTCOME = "unknown_outcome"
    UNDELIVERABLE = "undeliverable"


BILLED_FAILURES = frozenset({Failure.NO_IMAGE, Failure.UNDELIVERABLE})
"""Failures that KIE is paid for all the same: it finished, but nobody got the image."""
