"""A KIE.ai that runs on this machine: real HTTP in KIE's shapes, painted pictures, faults on demand.

It serves the demo, the tests and load runs, knows nothing of the rest of Easel, and contacts no other machine::

    async with KieStandIn(api_key="test-key", durations=0.05) as kie:
        kie.script.next_tasks(Fail("500", "Internal Error, Please try again later."))
        ...  # point a client at kie.base_url
"""

from demo.kie.order import PRICES, Order
from demo.kie.outbound import sign
from demo.kie.paint import PictureFormat
from demo.kie.script import (
    MARKERS,
    Behaviour,
    Code,
    CutAfter,
    CutBefore,
    CutMidBody,
    Delay,
    EmptyData,
    Fail,
    Hang,
    Html,
    Http429,
    Never,
    NotYetKnown,
    Outcome,
    Reply,
    Route,
    Script,
    Succeed,
    SucceedWithoutUrls,
    UnknownState,
)
from demo.kie.server import KieStandIn
from demo.kie.tasks import Durations, Task
from demo.kie.wire import Call, Json, SentFile

__all__ = [
    "MARKERS",
    "PRICES",
    "Behaviour",
    "Call",
    "Code",
    "CutAfter",
    "CutBefore",
    "CutMidBody",
    "Delay",
    "Durations",
    "EmptyData",
    "Fail",
    "Hang",
    "Html",
    "Http429",
    "Json",
    "KieStandIn",
    "Never",
    "NotYetKnown",
    "Order",
    "Outcome",
    "PictureFormat",
    "Reply",
    "Route",
    "Script",
    "SentFile",
    "Succeed",
    "SucceedWithoutUrls",
    "Task",
    "UnknownState",
    "sign",
]
