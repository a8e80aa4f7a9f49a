"""What is counted while Easel runs, for Prometheus; docs/metrics.md lists it.

Counting goes on whether or not anybody reads it. Labels come from small sets that are all known here, never from what a
member or a server sends. What an object knows anyway is read when Prometheus asks: bot/state_metrics.py.
"""

import asyncio
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from itertools import product
from typing import Final, Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase

from bot.domain.credits import Credits, Movement
from bot.domain.errors import Ignored, UserError
from bot.domain.generation import Generation, Task
from bot.domain.settings import Model
from bot.domain.states import Failure, TaskState

disable_created_metrics()  # a second series beside each, which no question needs

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_CALLS: Final = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60)
_WAITS: Final = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
"""Upper limits of histograms, in seconds."""
_TRANSACTIONS: Final = ("read", "write")
_ENDPOINTS: Final = ("createTask", "recordInfo", "download-url", "credit", "file-stream-upload")
"""The last part of the paths of KIE's API."""
_CODES: Final = frozenset({200, 401, 402, 403, 404, 422, 429, 433, 455, 500, 501, 505})
"""KIE's documented codes (docs.kie.ai) that mean different things to an operator; others are counted by hundreds."""
_CREDITS_MOVED: Final = tuple(movement for movement in Movement if movement not in {Movement.RESET, Movement.RULE})
_Metric = TypeVar("_Metric", bound=MetricWrapperBase)


def _counter(name: str, about: str, **labels: Iterable[object]) -> Counter:
    return _with_all_labels(Counter(f"easel_{name}", about, tuple(labels), registry=REGISTRY), labels)


def _histogram(name: str, about: str, limits: tuple[float, ...], **labels: Iterable[object]) -> Histogram:
    histogram = Histogram(f"easel_{name}", about, tuple(labels), buckets=limits, registry=REGISTRY)
    return _with_all_labels(histogram, labels)


def _with_all_labels(metric: _Metric, labels: dict[str, Iterable[object]]) -> _Metric:
    """Begin every series at zero: their number never changes, and Prometheus sees the first increase of each."""
    if labels:
        for values in product(*labels.values()):
            metric.labels(*values)
    return metric


REQUESTS = _counter(
    "requests_total",
    "Requests by how accepting them ended: accepted, refused (the member was told why), or failed (an error).",
    model=Model,
    result=("accepted", "refused", "failed"),
)
IMAGES = _counter(
    "images_total",
    "Images of ended requests: delivered, late (after the others), cancelled, undelivered (kept for the member), or "
    "why there is none.",
    model=Model,
    outcome=("delivered", "late", "cancelled", "undelivered", *Failure),
)
CREDITS = _counter("credits_total", "Credits moved in the ledger, in committed transactions.", movement=_CREDITS_MOVED)
ACKNOWLEDGEMENT = _histogram(
    "acknowledgement_seconds",
    "From receiving a command, button or message to Discord's having its acknowledgement or card.",
    _FAST,
    of=("interaction", "message"),
)
QUEUE_WAIT = _histogram("queue_wait_seconds", "From queueing a task to KIE's having accepted it.", _WAITS)
DELIVERY = _histogram(
    "delivery_seconds", "From learning that the last image of a request is done to having it posted.", _WAITS
)
KIE_ANSWERS = _counter(
    "kie_answers_total",
    "Answers of KIE by code: the body's or else of HTTP; invalid: no such body; none: no answer.",
    endpoint=_ENDPOINTS,
    code=(*sorted(_CODES), "4xx", "5xx", "other", "invalid", "none"),
)
KIE_CALL = _histogram("kie_call_seconds", "Calls to KIE, answered or not.", _CALLS, endpoint=_ENDPOINTS)
DATABASE_WAIT = _histogram(
    "database_wait_seconds", "Waiting for the turn to begin a transaction.", _FAST, kind=_TRANSACTIONS
)
DATABASE_TRANSACTION = _histogram(
    "database_transaction_seconds", "From beginning a transaction to its end.", _FAST, kind=_TRANSACTIONS
)
DATABASE_ERRORS = _counter(
    "database_errors_total",
    "Transactions that failed because the database was locked, full, read-only or out of reach.",
    kind=_TRANSACTIONS,
)
EVENT_LOOP_DELAY = _histogram(
    "event_loop_delay_seconds",
    "How much later than asked for the event loop woke a task; looked at twice a second.",
    _FAST,
)


@contextmanager
def accepting(model: Model) -> Generator[None, None, None]:
    """A block that accepts a request, and counts it by how the block ends; an event that came twice is none."""
    result = "failed"
    try:
        yield
        result = "accepted"
    except UserError:
        result = "refused"
        raise
    except (Ignored, asyncio.CancelledError):
        result = ""
        raise
    finally:
        if result:
            REQUESTS.labels(model, result).inc()


@contextmanager
def kie_call(path: str) -> Generator[Callable[[int, int | None], None], None, None]:
    """A block that calls KIE at this path; what is given takes HTTP's status and the code in the body, if any."""
    endpoint, answer = path.rpartition("/")[2], "none"

    def answered(status: int, code: int | None) -> None:
        nonlocal answer
        # As the client reads it: a gateway's own status counts more than a body of success or without a code.
        number = status if status != HTTPStatus.OK and code in {None, HTTPStatus.OK} else code
        answer = "invalid" if number is None else _code(number)

    try:
        with KIE_CALL.labels(endpoint).time():
            yield answered
    finally:
        KIE_ANSWERS.labels(endpoint, answer).inc()


def credits_moved(movement: Movement, amount: Credits) -> None:
    """Count credits once their transaction is committed."""
    CREDITS.labels(movement).inc(float(amount))


def generation_ended(
    generation: Generation, outcome: Literal["delivered", "late", "undelivered"], images: Sequence[Task]
) -> None:
    """Count the images that have this outcome now, and unless they are late, those that were never made."""
    model = generation.request.settings.model
    IMAGES.labels(model, outcome).inc(len(images))
    for task in generation.tasks if outcome != "late" else ():
        if task.state is TaskState.CANCELLED:
            IMAGES.labels(model, "cancelled").inc()
        elif task.failure is not None:
            IMAGES.labels(model, task.failure).inc()


def images_posted(images: Sequence[Task], at: datetime) -> None:
    """Observe how long these images, which belong together, were done before they were posted."""
    done = max((task.finished_at for task in images if task.finished_at is not None), default=None)
    if done is not None:
        DELIVERY.observe(max((at - done).total_seconds(), 0.0))


def _code(number: int) -> str:
    if number in _CODES:
        return str(number)
    return {4: "4xx", 5: "5xx"}.get(number // 100, "other")
