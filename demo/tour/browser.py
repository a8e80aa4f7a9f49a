"""A headless Chromium, driven over its remote-debugging protocol: real clicks and keys, pictures of what shows.

https://chromedevtools.github.io/devtools-protocol/
"""

import asyncio
import base64
import json
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, final

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from bot.domain.errors import OperatorError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_START_SECONDS = 30.0
_CALL_SECONDS = 60.0


class Stuck(Exception):
    """What a visitor would expect did not happen."""


@final
class Page:
    """One page. Expressions may use ``frame``, the document inside the page's first iframe, and the helpers below."""

    _HELPERS = """
        const frame = document.querySelector("iframe")?.contentDocument;
        const shown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true })
            && element.getClientRects().length > 0 && !element.closest("[hidden]");
        const all = (selector, root = frame) => [...root.querySelectorAll(selector)].filter(shown);
        const button = (text, root = frame) => all("button, summary, [role=option]", root)
            .filter((element) => !element.disabled && element.innerText.trim() === text).at(-1);
    """

    def __init__(self, socket: ClientWebSocketResponse, session: str) -> None:
        self._socket = socket
        self._session = session
        self._number = 0
        self.errors: list[str] = []
        """Uncaught errors of the page's own scripts."""

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol. Raises Stuck if the browser refuses it or does not answer for a minute."""
        self._number += 1
        await self._socket.send_json(
            {"id": self._number, "method": method, "params": parameters, "sessionId": self._session}
        )
        async with asyncio.timeout(_CALL_SECONDS):
            while True:
                answer = await _receive(self._socket)
                if answer.get("method") == "Runtime.exceptionThrown":
                    self.errors.append(
                        str(answer["params"]["exceptionDetails"].get("exception", {}).get("description"))
                    )
                if answer.get("id") == self._number:
                    if "error" in answer:
                        raise Stuck(f"{method}: {answer['error']['message']}")
                    return answer["result"]

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, as JSON."""
        source = f"(() => {{ {self._HELPERS} return ({expression}); }})()"
        answer = await self.call("Runtime.evaluate", expression=source, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise Stuck(f"{expression}: {answer['exceptionDetails']['exception'].get('description', '')}")
        return answer["result"].get("value")

    async def until(self, expression: str, what: str, seconds: float = 20) -> Any:
        """Wait for an expression to become true. Raises Stuck after ``seconds``."""
        deadline = asyncio.get_running_loop().time() + seconds
        while (value := await self.evaluate(expression)) in (None, False, 0, ""):
            if asyncio.get_running_loop().time() > deadline:
                raise Stuck(f"no {what} within {seconds:g} s")
            await asyncio.sleep(0.1)
        return value

    async def click(self, element: str, what: str, seconds: float = 20) -> None:
        """Click on the element that an expression finds, once it can be reached with a mouse."""
        # Where its middle is in the window, or why it cannot be clicked.
        reach = f"""(() => {{
            const element = {element};
            if (!element || element.disabled) return null;
            element.scrollIntoView({{ block: "center", behavior: "instant" }});
            const outer = element.ownerDocument.defaultView.frameElement;
            if (outer) outer.scrollIntoView({{ block: "nearest", behavior: "instant" }});
            const box = element.getBoundingClientRect();
            const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
            const hit = element.ownerDocument.elementFromPoint(x, y);
            const labels = [...element.labels ?? []];
            if (!hit || !(element.contains(hit) || labels.some((label) => label.contains(hit)))) return null;
            const edge = outer?.getBoundingClientRect() ?? {{ x: 0, y: 0 }};
            const at = {{ x: x + edge.x, y: y + edge.y }};
            if (outer && document.elementFromPoint(at.x, at.y) !== outer) return null;
            return at.x >= 0 && at.x <= innerWidth && at.y >= 0 && at.y <= innerHeight ? at : null;
        }})()"""
        at, before = await self.until(reach, f"way to click on {what}", seconds), None
        while at != before:  # images that are still loading push it around
            await asyncio.sleep(0.15)
            before, at = at, await self.until(reach, f"way to click on {what}", seconds)
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=at["x"], y=at["y"], button="left", clickCount=1)

    async def type(self, element: str, text: str, what: str) -> None:
        """Click into a field, replace what is in it, and type."""
        await self.click(element, what)
        await self.evaluate(f"({element}).select?.()")
        await self.call("Input.insertText", text=text)

    async def press(self, key: str, code: int) -> None:
        """Press one key, such as Enter, 13."""
        for kind in ("rawKeyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)
            if kind == "rawKeyDown" and key == "Enter":
                await self.call("Input.dispatchKeyEvent", type="char", text="\r", key=key)

    async def picture(self, path: Path) -> None:
        """Save what the window shows as a PNG, with the mouse out of the way."""
        await self.call("Input.dispatchMouseEvent", type="mouseMoved", x=0, y=0)
        answer = await self.call("Page.captureScreenshot", format="png")
        await asyncio.to_thread(path.write_bytes, base64.b64decode(answer["data"]))


@asynccontextmanager
async def open_page(url: str, width: int, height: int) -> AsyncGenerator[Page, None]:
    """Open ``url`` in a window of that many CSS pixels. Raises OperatorError if there is no Chromium."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        raise OperatorError("the tour needs Chromium: install the package chromium, or Google Chrome.")
    with tempfile.TemporaryDirectory(prefix="easel-tour-", ignore_cleanup_errors=True) as profile:
        options = ["--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}", "--no-first-run"]
        options += ["--hide-scrollbars", "--disable-background-networking", "--disable-gpu", "--disable-dev-shm-usage"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # Chromium's sandbox does not start as root
        process = await asyncio.create_subprocess_exec(
            program, *options, "about:blank", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            port, path = await _address(Path(profile) / "DevToolsActivePort")
            async with (
                ClientSession() as client,
                client.ws_connect(f"ws://127.0.0.1:{port}{path}", max_msg_size=0) as socket,
            ):
                page = await _attach(socket)
                await page.call(
                    "Emulation.setDeviceMetricsOverride",
                    width=width,
                    height=height,
                    deviceScaleFactor=1,
                    mobile=width < 600,
                )
                await page.call("Page.navigate", url=url)
                yield page
        finally:
            process.terminate()
            await process.wait()


async def _address(file: Path) -> tuple[str, str]:
    """The port and path that the browser writes down once it listens."""
    async with asyncio.timeout(_START_SECONDS):
        while True:
            lines = await asyncio.to_thread(_lines, file)
            if len(lines) >= 2:
                return lines[0], lines[1]
            await asyncio.sleep(0.05)


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


async def _attach(socket: ClientWebSocketResponse) -> Page:
    await socket.send_json({"id": 0, "method": "Target.createTarget", "params": {"url": "about:blank"}})
    target = await _answer(socket)
    parameters = {"targetId": target["targetId"], "flatten": True}
    await socket.send_json({"id": 0, "method": "Target.attachToTarget", "params": parameters})
    page = Page(socket, (await _answer(socket))["sessionId"])
    await page.call("Page.enable")
    await page.call("Runtime.enable")
    return page


async def _answer(socket: ClientWebSocketResponse) -> dict[str, Any]:
    while True:
        message = await _receive(socket)
        if message.get("id") == 0:
            return message["result"]


async def _receive(socket: ClientWebSocketResponse) -> dict[str, Any]:
    message = await socket.receive()
    if message.type is not WSMsgType.TEXT:
        raise Stuck("the browser has ended")
    return json.loads(message.data)
