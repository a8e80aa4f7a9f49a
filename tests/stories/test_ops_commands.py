"""What the operator does while the bot runs: pause it and resume it, look at its servers, back its database up."""

import discord

from bot.domain.credits import Credits
from bot.quota.servers import PAGE
from bot.store import sqlite
from bot.ui.cards import AMBER, BLURPLE
from bot.ui.custom_ids import Action, CustomId
from tests.database import ON_POSTGRESQL
from tests.stories.components import EDIT_FORM, custom_id_of, edit, forge, new_card, press_forged, private_answer
from tests.stories.images import png
from tests.stories.operator_setup import FORBIDDEN, OperatorSetup
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld, response_of

REASON = "we're moving to **another machine**, back by 6 pm @everyone"
REFUSED = f"Image making is paused. Nothing was charged. Reason: {REASON}."
BOAT = [("boat.png", png())]


async def test_a_pause_refuses_every_way_to_an_image_and_outlives_a_restart(
    world: StoryWorld, ops: OperatorSetup
) -> None:
    await ops.restart()
    card = await world.answer(await world.mention_bot("as a woodcut", attachments=BOAT))
    failed = await new_card(world, "a crow [broken]")
    photo = await world.bob.send(world.channel, attachments=BOAT)
    chat = await world.bob.send(world.channel, "nice one", reply_to=card)
    (question,) = world.answers(chat)
    with world.unfinished():
        accepted = await world.imagine("a hedgehog", by=world.bob)
        answer = await ops.command("pause", reason=REASON)
    assert answer.colour == AMBER
    assert f"> {REFUSED}" in answer.text.splitlines()
    await world.outcome(accepted)
    before = world.ledger(world.alice), world.ledger(world.bob), len(world.kie.tasks)
    assert before[1] == PAID, "accepted requests continue"
    await world.restart()

    alice, form = world.alice, {"prompt": "wider", **EDIT_FORM}
    new_form = {"prompt": "a crow", **EDIT_FORM, "ratio": ["1:1"]}
    menu = await alice.context_menu(world.channel, "Edit image", photo)
    retry = await alice.click(failed, label="Edit prompt")
    commands = {
        "/imagine": await world.imagine(),
        "Again": await alice.click(card, label="Again"),
        "2K": await alice.click(card, label="2K · 7"),
        "Edit": await edit(world, alice, card),
        "Edit prompt": await alice.submit_modal(retry, new_form),
        "the menu": await alice.submit_modal(menu, form),
    }
    assert {way: world.refusal(command).text for way, command in commands.items()} == dict.fromkeys(commands, REFUSED)
    messages = {
        "a mention": await world.mention_bot("as a woodcut", attachments=BOAT),
        "a reply": await world.mention_bot("make it blue", reply_to=card),
    }
    answers = {way: rendered(await world.answer(message)).text for way, message in messages.items()}
    assert [way for way, text in answers.items() if REFUSED not in text] == []
    await world.bob.click(question, label="Edit · 5 credits")
    assert REFUSED in rendered(await world.answer(chat)).text
    assert (world.ledger(world.alice), world.ledger(world.bob), len(world.kie.tasks)) == before

    status = await ops.status()
    assert status.colour == AMBER
    assert status.texts[0].splitlines()[1:] == [f"> {REASON}"]
    unclosed = "Closed for today! ```||"
    assert (await ops.command("pause", reason=unclosed)).texts[1].splitlines()[1:] == [
        f"> Image making is paused. Nothing was charged. Reason: {unclosed}."
    ]
    blank = await ops.operator.slash(world.channel, "ops pause", reason="\u200b \u200b")
    assert world.refusal(blank).text.startswith("You didn't choose anything")
    assert (await ops.command("resume")).text.startswith("▶️ Requests are accepted again. You had paused them <t:")
    assert (await ops.command("resume")).text == "You hadn't paused requests."
    assert (await world.delivered()).images


async def test_resuming_says_what_else_stands_in_the_way(world: StoryWorld, ops: OperatorSetup) -> None:
    await ops.restart()
    await ops.command("pause", reason="lunch")
    world.app.pipeline.workload.funds_breaker.record_refusal(Credits(5), world.clock.steady())

    assert "They are still refused for another reason: ⏸️ paused <t:" in (await ops.command("resume")).text


async def test_servers_are_listed_by_what_they_spend(world: StoryWorld, ops: OperatorSetup) -> None:
    await ops.restart()
    await world.delivered(count=2)
    user = world.env.create_user("eve")
    others = [world.env.create_guild(f"Guild *{number}*" * 5, owner=user) for number in range(PAGE + 1)]
    await world.restart()
    message = response_of(await ops.operator.slash(world.channel, "ops servers"))
    page = rendered(message)
    title, sums, *lines = page.text.splitlines()

    assert (title, sums) == ("### Servers, this month (UTC)", f"{PAGE + 2} servers · 10 credits spent · page 1 of 2")
    assert lines[0] == "**1. Studio**"
    assert lines[1].startswith("-# 10 credits · 2 images · 6 members · used <t:")
    assert lines[3] == "-# 0 credits · 0 images · 2 members · never used"
    assert len(lines) == 2 * PAGE
    assert page.colour == BLURPLE
    turned = await ops.operator.click(message, label="Next")
    assert "page 2 of 2" in rendered(response_of(turned)).text

    world.expected_errors.append(discord.app_commands.CheckFailure)
    custom_id = custom_id_of(message, "Previous")
    assert private_answer(await press_forged(world, world.admin, message, custom_id)).text == FORBIDDEN
    forged = str(CustomId(Action.SERVERS, 7))
    forge(world, message.message, "Previous", forged)
    assert "expired" in private_answer(await press_forged(world, ops.operator, message, forged)).text
    assert len(others) == PAGE + 1


async def test_a_server_that_removed_the_bot_is_known_by_its_id(world: StoryWorld, ops: OperatorSetup) -> None:
    await ops.restart()
    owner = world.env.create_user("eve")
    gone = world.env.create_guild("Gone", owner=owner)
    lobby = gone.create_text_channel("lobby")
    member = gone.add_member(world.env.create_user("frank"))
    await world.outcome(await member.slash(lobby, "imagine", prompt="a lighthouse"))
    guild = world.app.client.get_guild(gone.id)
    assert guild is not None
    await guild.leave()
    await world.env.settle()

    lines = (await ops.command("servers", period="day")).text.splitlines()
    assert lines[2] == f"**1. {gone.id}**"
    assert lines[3].startswith("-# 5 credits · 1 image · removed me · used <t:")


async def test_a_backup_is_made_and_checked(world: StoryWorld, ops: OperatorSetup) -> None:
    await ops.restart()
    text = (await ops.command("backup")).text
    if ON_POSTGRESQL:
        assert "pg_dump" in text
        return
    (file,) = (world.folder / "backups").iterdir()
    assert text.startswith(f"✅ Backed up to `{file}` and checked: ")
    assert sqlite.integrity_problems(file) == []
    assert "newest backup: <t:" in (await ops.status()).text
