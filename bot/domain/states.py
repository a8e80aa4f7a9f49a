"""The states of a task, and the transitions between them."""

from collections.abc import Mapping
from enum import StrEnum


class TaskState(StrEnum):
    """Every transition is one transaction; docs/architecture.md has the table."""

    RESERVED = "reserved"
    """Credits are reserved; the task waits to be sent to KIE."""
    SUBMITTING = "submitting"
    """The task is being sent to KIE, or was when the process died: it is never sent again."""
    RUNNING = "running"
    """KIE has taken it and given it an id."""
    READY = "ready"
    """KIE has made the image; its address is in the row."""
    DELIVERED = "delivered"
    """Posted and paid."""
    OVERDUE = "overdue"
    """Past its deadline: refunded, but still watched, since KIE may yet make it."""
    FAILED = "failed"
    """Ended without an image; refunded."""
    CANCELLED = "cancelled"
    """Cancelled by the member before it was sent to KIE; refunded."""


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
"""The allowed transitions. Back to RESERVED only when KIE certainly did not take the task."""

REFUNDED = frozenset({TaskState.OVERDUE, TaskState.FAILED, TaskState.CANCELLED})
"""States in which the member is charged nothing."""

OPEN = frozenset({TaskState.RESERVED, TaskState.SUBMITTING, TaskState.RUNNING, TaskState.READY})
"""States in which the member is still waiting."""


class Failure(StrEnum):
    """Why there is no image, as far as it makes a difference to the member."""

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
"""Failures that KIE is paid for: it finished the task, but nobody got the image."""
