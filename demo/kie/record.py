"""The ``data`` of recordInfo, field by field."""

import json
from dataclasses import dataclass

from demo.kie.order import Order
from demo.kie.script import Fail
from demo.kie.wire import Json


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a task is at one instant; times are Unix seconds, ``completed`` is None while it runs."""

    state: str
    created: float
    elapsed: float
    completed: float | None
    failure: Fail | None
    urls: list[str]


def record(task_id: str, order: Order, now: Moment) -> dict[str, Json]:
    """Every field KIE is known to send, also those of its newer answers."""
    done, failure = now.state == "success", now.failure if now.state == "fail" else None
    urls: list[Json] = [*now.urls]
    price = 0.0 if failure else float(order.price)
    return {
        "taskId": task_id,
        "model": order.model,
        "state": now.state,
        "param": order.param,
        "resultJson": json.dumps({"resultUrls": urls}) if done else "",
        "failCode": failure.fail_code if failure else None,
        "failMsg": failure.fail_msg if failure else None,
        # Documented as milliseconds; the live answers hold seconds.
        "costTime": round(now.completed - now.created) if now.completed is not None else None,
        "completeTime": _ms(now.completed) if now.completed is not None else None,
        "createTime": _ms(now.created),
        "updateTime": _ms(now.completed if now.completed is not None else now.created + now.elapsed),
        "creditsConsumed": None if now.state in ("waiting", "queuing") else price,
        "successFlag": 1 if done else 2 if failure else 0,
        "response": {"resultUrls": urls} if done else None,
    }


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
