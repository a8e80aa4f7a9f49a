"""A visitor of the demo's page, and what none may ever see."""

import json
from pathlib import Path
from typing import Any, final

from demo.simulation import SETTLE_SECONDS
from demo.tour.browser import Page, Stuck

_COMPOSER = 'frame.getElementById("channel-composer-input")'
_SEND = 'frame.getElementById("send-message")'
_NEWEST = "all('.channel-message').at(-1)"
_IN_SIGHT = f"""{_NEWEST}.getBoundingClientRect().bottom
    <= frame.getElementById('channel-composer').getBoundingClientRect().top + 24"""
_JUMP = "button('New messages · jump to latest')"
_IMAGES_LOADED = "all('.channel-message img').every((image) => image.naturalWidth > 0)"
_LAST_ACTION = "(frame.defaultView.simcordPreview.activity.at(-1)?.requestId ?? null)"
_IDLE = """(!/ing .*…$/.test(frame.getElementById("action-status").textContent) && !all(".message-loading").length)"""

# Everything wrong that shows now, as sentences.
_FAULTS = """(() => {
    const faults = [];
    const bodies = [document.body, frame.body].map((body) => body.innerText);
    const texts = [...bodies, frame.getElementById("action-status").textContent].join("\\n");
    const wrong = "uncertain|action failed|not completed|did not respond|wouldn[’']t allow|unavailable";
    const bad = new RegExp(`[^.\\\\n]*(${wrong})[^.\\\\n]*`, "i").exec(texts);
    if (bad) faults.push(bad[0].trim());
    faults.push(...all("#trouble, .bad, .problem", document).map((error) => error.innerText).filter(Boolean));
    const chosen = document.querySelector("#members :checked")?.value;
    const viewer = frame.getElementById("viewer-picker").value;
    if (chosen !== viewer) faults.push("the page and the channel disagree about who the visitor is");
    for (const root of [document, frame]) {
        const width = root.defaultView.innerWidth;
        if (root.documentElement.scrollWidth > width) faults.push("something is wider than the window");
        for (const control of all("button, textarea, input, select, summary", root)) {
            const box = control.getBoundingClientRect();
            const clipped = control.closest(".hidden, .visually-hidden, .command-file-input, .component-media-grid");
            if (!clipped && box.width > 1 && (box.left < -1 || box.right > root.defaultView.innerWidth + 1))
                faults.push(`outside the window: ${control.innerText || control.id || control.className}`);
        }
    }
    return faults;
})()"""


@final
class Visitor:
    """Uses the page as a person does, and takes a numbered picture of every stop in ``folder``."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self._folder = folder
        self._pictures = 0

    async def arrive(self) -> None:
        """Wait until the channel and the panel are there."""
        await self.page.until("frame?.querySelector('.channel-composer:not([hidden])')", "channel", 40)
        await self.page.until("document.querySelector('#members :checked')", "panel")
        await self.page.until("all('.message-attachments img').some((image) => image.naturalWidth)", "lighthouse")

    async def stop(self, name: str) -> None:
        """Wait until the page is at rest, take a picture, and raise Stuck if anything is wrong."""
        await self.page.until(_IDLE, "end of the action", 30)
        await self.page.until(_IMAGES_LOADED, "end of loading images", 30)
        if await self.page.evaluate(f"!!({_JUMP})"):
            await self.page.click(_JUMP, "jump to latest")
        self._pictures += 1
        await self.page.picture(self._folder / f"{self._pictures:02}-{name}.png")
        if faults := [*await self.page.evaluate(_FAULTS), *self.page.errors]:
            raise Stuck("; ".join(faults))

    async def be(self, name: str) -> None:
        """Become another member."""
        await self.page.click(f"all('.chip', document).find((chip) => chip.innerText.trim() === '{name}')", name)
        chosen = "document.querySelector('#members :checked').value"
        await self.page.until(f"frame.getElementById('viewer-picker').value === {chosen} && {_IDLE}", "other viewer")

    async def command(self, name: str, **options: str) -> None:
        """Run a slash command with options from the composer's list; a value of a list is chosen there."""
        await self.channel()
        await self.page.until(f"!{_SEND}.disabled && {_IDLE}", "free composer", 30)
        await self.page.type(_COMPOSER, f"/{name}", "the composer")
        entry = f"all('.command-entry').find((entry) => entry.querySelector('strong').innerText === '/{name}')"
        for _ in range(3):  # the list may have moved under the mouse, or come back with a new message
            await self.page.click(entry, f"/{name} in the list")
            gone = await self._appears("!all('.command-entry').length")
            if gone and not await self._appears("all('.command-entry').length", 0.5):
                break
        for option, value in options.items():
            field = f"all('.command-option-input[data-option=\"{option}\"]')[0]"
            if not await self.page.evaluate(f"!!{field}"):
                await self.page.click("all('.command-ghost')[0]", "more options")
                listed = (
                    f"all('.command-suggestion').find((item) => item.innerText.trim().split(/\\s/)[0] === '{option}')"
                )
                await self.page.click(listed, f"the option {option}")
            await self._fill_option(option, field, value)
        before = await self._actions()
        await self._click(_SEND, "Send", before)
        await self._done(before, f"/{name}")

    async def press(self, label: str, seconds: float = 20) -> None:
        """Press the last button with that label in the channel, or in its open form."""
        await self.channel()
        before = await self._actions()
        await self.page.until(_IDLE, "end of the action before", 30)
        await self._click(f"button({label!r})", f"button {label}", before, seconds)
        await self._done(before, label)

    async def fill(self, label: str, text: str) -> None:
        """Write into a field of the channel's open form."""
        await self.page.type("all('#modal-root textarea, #modal-root input[type=text]')[0]", text, label)

    async def tick(self, label: str) -> None:
        """Tick a box of the channel's open form."""
        box = f"all('#modal-root label').find((box) => box.innerText.includes({label!r}) && box.querySelector('input'))"
        await self.page.click(box, label)

    async def pick(self, select: str, option: str) -> None:
        """Choose an option of a list in the channel."""
        field = f"all('button, [role=combobox]').findLast((one) => one.innerText.trim().startsWith({select!r}))"
        await self.page.click(field, select)
        before = await self._actions()
        await self.page.click(f"button({option!r})", option)
        await self._done(before, option)

    async def submit(self) -> None:
        """Submit the channel's open form, and wait until it is closed."""
        await self.press("Submit")
        await self.page.until("frame.getElementById('modal-root').hidden", "end of the form")

    async def channel(self) -> None:
        """Show the channel, on a phone."""
        await self._show("Back to the channel")

    async def panel(self) -> None:
        """Show the panel, on a phone."""
        await self._show("Images and Apps")

    async def choose(self, text: str) -> None:
        """Choose a message in the panel."""
        await self.panel()
        row = f"all('.message', document).find((row) => row.innerText.includes({text!r}))"
        await self.page.click(row, f"the message {text!r}")
        if not await self._appears(f"{row}?.querySelector('input').checked"):
            await self.choose(text)  # a new message had moved it away from the mouse

    async def say(self, text: str, *, sample: str = "", mention: bool = True) -> None:
        """Send a message from the panel."""
        await self.panel()
        await self.page.type("document.getElementById('text')", text, "the message")
        if sample:
            await self.page.click(f"button({sample!r}, document)", f"the sample {sample}")
            await self.page.until("all('#attached img', document).length", "attached sample")
        if await self.page.evaluate("document.getElementById('mention').checked") != mention:
            await self.page.click("document.getElementById('mention')", "Mention")
        await self.page.evaluate("document.getElementById('result').replaceChildren()")
        await self.page.click("button('Send', document)", "Send")
        await self.page.until(
            "document.getElementById('result').innerText || document.querySelector('#result .good')",
            "answer of the panel",
            30,
        )

    async def app(self, name: str, words: str) -> None:
        """Choose an app of the chosen message, fill its form in and submit it."""
        await self.page.click(f"button({name!r}, document)", f"the app {name}")
        await self.page.until("document.getElementById('dialog').open", "the app's form", 30)
        await self.page.type("all('#fields textarea', document)[0]", words, "the form's field")
        await self.page.click("button('Submit', document)", "Submit")
        await self.page.until("!document.getElementById('dialog').open", "end of the form", 30)

    async def shows(self, text: str, seconds: float = 40) -> None:
        """Wait until the newest message has a text."""
        await self.page.until(
            f"{_NEWEST}?.innerText.replaceAll('\\u00a0', ' ').includes({text!r})",
            f"{text!r} in the newest message",
            seconds,
        )
        await self.page.until(f"!!{_IN_SIGHT}", "newest message in sight")

    async def finished(self, prompt: str) -> None:
        """Wait until the newest message, in the channel, is the finished result of a prompt."""
        await self.channel()
        await self.shows(prompt)
        await self.shows("Again")

    async def _show(self, label: str) -> None:
        switch = f"button({label!r}, document)"
        if await self.page.evaluate(f"!!({switch})"):
            await self.page.click(switch, label)

    async def _click(self, button: str, what: str, before: Any, seconds: float = 20) -> None:
        """Click, and again if nothing has begun since the action ``before``: what arrives may push a button away."""
        await self.page.click(button, what, seconds)
        if not await self._appears(f"!{_IDLE} || {_newer(before)}"):
            await self.page.click(button, what, seconds)

    async def _fill_option(self, option: str, field: str, value: str) -> None:
        await self.page.type(field, value, option)
        if not await self.page.evaluate(f"{field}.getAttribute('role') === 'combobox'"):
            return
        listed = f"all('.command-suggestion').find((item) => item.innerText.toLowerCase().includes({value.lower()!r}))"
        if await self._appears(f"!!{listed}", 10):
            await self.page.click(listed, value)
            if await self._appears(f"!{listed} && {field}?.getAttribute('aria-invalid') !== 'true'"):
                return
        # The bot's answer came too late to be shown, or replaced the list under the mouse.
        await self._fill_option(option, field, value)

    async def _appears(self, expression: str, seconds: float = 3) -> bool:
        try:
            return bool(await self.page.until(expression, "suggestion", seconds))
        except Stuck:
            return False

    async def _actions(self) -> Any:
        return await self.page.evaluate(_LAST_ACTION)

    async def _done(self, before: Any, what: str) -> None:
        # The page's refresh, its clock and the action itself may each wait for the bot as long as the simulation does.
        await self.page.until(_newer(before), f"outcome of {what}", 4 * SETTLE_SECONDS)


def _newer(action: Any) -> str:
    """Whether there was an action after this one."""
    return f"{_LAST_ACTION} !== {json.dumps(action)}"
