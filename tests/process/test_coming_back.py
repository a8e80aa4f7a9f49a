"""What members come back for, with the whole program: in one process, and again in the next one with what it left."""

import signal
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import discord
import pytest
from simcord import InteractionResult, MemberActor, ResponseMessage
from simcord.enums import ComponentType, InteractionType
from sqlalchemy import text

from bot.store.audit import audit
from bot.store.engines import snapshot
from demo.assistant import AssistantStandIn
from tests.database import postgresql_database
from tests.process.deployment import Deployment
from tests.process.images import RED, plain_image
from tests.stories.components import custom_id_of
from tests.stories.outside import emit_outside
from tests.stories.rendered import rendered
from tests.waiting import until

ANY = {"model": ["any"], "ratio": ["any"]}
FORM = {"model": ["pro"], "ratio": ["auto"]}


@dataclass
class Member:
    """Alice, and what she sees. Each verb waits for the bot's answer."""

    deployment: Deployment
    url: str
    actor: MemberActor = field(init=False)

    def __post_init__(self) -> None:
        self.actor = self.deployment.alice

    async def command(self, name: str, says: str, /, **options: Any) -> ResponseMessage:
        return await self.answered(await self.actor.slash(self.deployment.channel, name, **options), says)

    async def press(self, on: discord.Message | ResponseMessage, label: str, says: str) -> ResponseMessage:
        return await self.answered(await self.actor.click(on, label=label), says)

    async def submit(self, opened: InteractionResult, **answers: Any) -> InteractionResult:
        await self.deployment.wait_for_modal(opened)
        return await self.actor.submit_modal(opened, answers)

    async def image(self, used: InteractionResult) -> ResponseMessage:
        await self.deployment.wait_for_image(used)
        # Its buttons work from then on.
        await until(lambda: self.movements()["reserve"] == self.movements().get("settle"), what="the payment")
        assert used.response is not None
        return used.response

    async def imagine(self, prompt: str, **options: Any) -> ResponseMessage:
        return await self.image(await self.deployment.imagine(prompt, **options))

    async def outside(self, kind: InteractionType, on: ResponseMessage | None = None, **data: Any) -> ResponseMessage:
        """In a direct message with somebody else, by her own installation."""
        place = (self.actor.user.dm_channel.id, None)
        owners, env = {"1": str(self.actor.id)}, self.deployment.front.env
        return await self.image(await emit_outside(env, place, self.actor, kind, data, owners=owners, message=on))

    async def answered(self, used: InteractionResult, says: str) -> ResponseMessage:
        """The answer that says this."""

        def answer() -> ResponseMessage | None:
            sent = [*used.followups, *([used.response] if used.response else [])]
            return next((one for one in sent if says in rendered(one).text), None)

        return await until(answer, within=20, what=f"an answer with the text {says!r}")

    def movements(self) -> dict[str, int]:
        """How many there are of each kind, of all members."""
        with snapshot(self.url) as connection:
            counted = connection.execute(text("SELECT movement, count(*) FROM ledger GROUP BY movement"))
            return {str(movement): int(count) for movement, count in counted}


@pytest.fixture
async def assistant() -> AsyncGenerator[AssistantStandIn]:
    async with AssistantStandIn() as assistant:
        yield assistant


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "number"), [("sqlite", signal.SIGKILL), ("postgresql", signal.SIGTERM), ("postgresql", signal.SIGKILL)]
)
async def test_what_one_process_showed_the_next_one_carries_on(
    deployment: Deployment, assistant: AssistantStandIn, tmp_path: Path, kind: str, number: signal.Signals
) -> None:
    url = f"sqlite:///{tmp_path / 'easel.db'}" if kind == "sqlite" else postgresql_database(tmp_path)
    settings = {
        "EASEL__DATABASE__URL": url,
        "EASEL__DATABASE__FOLDER": str(tmp_path),
        "EASEL__QUOTA__CREDITS": "1000",
        "EASEL__DISCORD__USER_INSTALL": "true",
        "EASEL__ASSISTANT__BASE_URL": assistant.base_url,
        "EASEL__ASSISTANT__API_KEY": "assistant-key-that-nobody-may-read",
        "EASEL__ASSISTANT__MODEL": "small",
        "EASEL__CLUSTER__LEASE": "2",
    }
    alice = Member(deployment, url)
    async with deployment.bot(**settings) as bot:
        left = await begin(alice)
        bot.send(number)
        assert await bot.ended(within=20) == (0 if number is signal.SIGTERM else -number)
    async with deployment.bot(**settings):
        await go_on(alice, left)

    assert deployment.logged_errors() == []
    assert list(audit(url, datetime.now(UTC))) == []
    assert alice.movements() == {"reserve": len(deployment.kie.tasks), "settle": len(deployment.kie.tasks)}


@dataclass(frozen=True)
class Left:
    """What an ended process has left on the screens."""

    grid: ResponseMessage
    menu: ResponseMessage
    secret_menu: ResponseMessage
    edits: ResponseMessage
    history: ResponseMessage
    preferences: ResponseMessage
    wordings: ResponseMessage
    outside: ResponseMessage
    edit_form: InteractionResult


async def begin(alice: Member) -> Left:
    deployment, actor = alice.deployment, alice.actor
    grid = await alice.imagine("a red fox", count=2)
    menu = await alice.press(grid, "2", "image 2 of 2")
    await alice.press(menu, "⭐ Favourite", "Saved to /favourites")
    secret = await alice.imagine("a secret garden", private=True)
    secret_menu = await alice.press(secret, "⋯", "a secret garden")
    await alice.press(secret_menu, "Share", "Shared.")
    assert [shared.headline for shared in deployment.posts()] == ["**a red fox**", "**a secret garden**"]

    opened = await actor.click(menu, label="Edit")
    edited = await alice.image(await alice.submit(opened, prompt="in snow", **FORM))
    edits = await alice.press(await alice.press(edited, "⋯", "in snow"), "Edits", "in snow")
    assert rendered(await alice.press(edits, "Before and after", "**Before** · a red fox")).images

    listed = await alice.command("history", "Your images", search="FOX")
    assert rendered(listed).text.count("a red fox") == 2
    assert rendered(await alice.command("history", "a red fox", favourites=True)).text.count("⭐") == 1

    adding = await actor.slash(deployment.channel, "style add")
    saved = await alice.submit(adding, name="Linocut", template="A linocut of {prompt}", **ANY)
    await alice.answered(saved, "**Linocut** is saved")
    await alice.command("references add", "**Cat** has 1 image now", name="Cat", image=("cat.png", plain_image(RED)))
    await styled(alice)

    opened = await actor.click(await alice.press(grid, "1", "image 1 of 2"), label="Edit")
    improved = await alice.submit(opened, prompt="at dawn", options=["improve"], **FORM)
    wordings = await alice.answered(improved, "**1** · ")
    await alice.image(await actor.click(wordings, label="1"))
    assert deployment.prompts()[-1].startswith("at dawn, in soft morning light")

    panel = await alice.command("preferences", "Private")
    await actor.click(panel, label="Private: off")
    await until(lambda: "Private: on" in rendered(panel).buttons, what="the switch")
    assert rendered(await alice.imagine("a hut")).ephemeral
    outside = await alice.outside(InteractionType.APPLICATION_COMMAND, **imagine_data("a castle"))
    form = await deployment.wait_for_modal(await actor.click(menu, label="Edit"))
    return Left(grid, menu, secret_menu, edits, listed, panel, wordings, outside, form)


async def go_on(alice: Member, left: Left) -> None:
    deployment, actor = alice.deployment, alice.actor
    assert rendered(await alice.imagine("a hut")).ephemeral
    await actor.click(left.preferences, label="Private: on")
    await until(lambda: "Private: off" in rendered(left.preferences).buttons, what="the switch")
    assert not rendered(await alice.imagine("a hut")).ephemeral

    await alice.press(left.grid, "1", "image 1 of 2")
    await alice.press(left.menu, "⭐ Favourite", "Removed from your favourites")
    await alice.press(left.menu, "⭐ Favourite", "Saved to /favourites")
    assert "2K" in rendered(await alice.image(await actor.click(left.menu, label="2K · 7"))).small_print
    again = await alice.image(await alice.submit(left.edit_form, prompt="in rain", **FORM))
    assert rendered(again).headline == "**in rain**"
    await alice.press(left.secret_menu, "Share", "You've already shared this image")

    await alice.press(left.history, "1", "a red fox")
    listed = rendered(await alice.command("history", "Your images", search="fox"))
    assert (listed.text.count("a red fox"), len(listed.images)) == (2, 2), "with previews"
    assert rendered(await alice.command("favourites", "a red fox")).text.count("⭐") == 1
    assert rendered(await alice.press(left.edits, "Before and after", "**Before** · a red fox")).images
    await alice.press(left.edits, "1", "image 2 of 2")
    await styled(alice)

    await alice.press(left.wordings, "1", "I've already started that one")
    await alice.image(await actor.click(left.wordings, label="Keep mine"))
    assert deployment.prompts()[-1] == "at dawn"
    pressed = {"custom_id": custom_id_of(left.outside, "Again"), "component_type": ComponentType.BUTTON}
    await alice.outside(InteractionType.MESSAGE_COMPONENT, left.outside, **pressed)


async def styled(alice: Member) -> None:
    """A style and a reference set are used in /imagine."""
    card = rendered(await alice.imagine("a hare", style="own:Linocut", references="own:Cat"))
    assert "style: Linocut" in card.small_print
    assert alice.deployment.prompts()[-1] == "A linocut of a hare"
    assert alice.deployment.reference_colours()[-1] == [RED]


def imagine_data(prompt: str) -> dict[str, Any]:
    """The command as Discord sends it."""
    return {"id": "1", "name": "imagine", "type": 1, "options": [{"name": "prompt", "type": 3, "value": prompt}]}
