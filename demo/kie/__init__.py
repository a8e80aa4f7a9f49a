"""A KIE.ai that runs on this machine: real HTTP in KIE's shapes, drawn images, faults on demand.

It serves the demo, the tests and load runs, imports nothing else of Easel, and contacts no other machine::

    async with KieStandIn(api_key="test-key", durations=0.05) as kie:
        kie.script.next_tasks(Fail("500", "Internal Error, Please try again later."))
        ...  # point a client at kie.base_url
"""

from demo.kie.behaviours import (
    Behaviour,
    Code,
    CutAfter,
    CutBefore,
    CutMidBody,
    Delay,
    Hang,
    Html,
    Http429,
    Reply,
)
from demo.kie.script import (
    EmptyData,
    Endpoint,
    Fail,
    Never,
    NotYetKnown,
    Succeed,
    SucceedWithoutUrls,
    TaskOutcome,
    UnknownState,
)
from demo.kie.server import KieStandIn
from demo.kie.tasks import KieTask
from demo.kie.wire import Json, RecordedRequest

__all__ = [
    "Behaviour",
    "Code",
    "CutAfter",
    "CutBefore",
    "CutMidBody",
    "Delay",
    "EmptyData",
    "Endpoint",
    "Fail",
    "Hang",
    "Html",
    "Http429",
    "Json",
    "KieStandIn",
    "KieTask",
    "Never",
    "NotYetKnown",
    "RecordedRequest",
    "Reply",
    "Succeed",
    "SucceedWithoutUrls",
    "TaskOutcome",
    "UnknownState",
]
