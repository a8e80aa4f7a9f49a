"""The workers that carry a generation from the queue to its post."""

from dataclasses import dataclass

from bot.generation.delivery import DeliveryWorker
from bot.generation.results import Results
from bot.generation.submitter import Submitter
from bot.generation.tracker import Tracker
from bot.generation.undelivered import Undelivered
from bot.generation.workload import Workload


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What :func:`bot.generation.recover.recover` fills from the store before the workers run."""

    workload: Workload
    submitter: Submitter
    tracker: Tracker
    delivery: DeliveryWorker
    undelivered: Undelivered
    results: Results
