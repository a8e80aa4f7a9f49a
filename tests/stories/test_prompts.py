"""Prompts that Discord has written for its own clients, or sent as a file, and files beside the images."""

import discord
import pytest
from simcord.backend.models import Overwrite
from simcord.enums import OverwriteType

from tests.database import execute
from tests.stories.components import edit, new_card, press
from tests.stories.images import SVG, pixels, png
from tests.stories.kie_calls import references_used, task_bodies, task_body
from tests.stories.rendered import rendered
from tests.stories.restartable_bot import BotOptions
from tests.stories.story_world import PAID, StoryWorld, bot_with

BOAT = [("boat.png", png())]
RAW = "<@{alice}> and <@404> in <#{channel}>, not <#{hidden}>, <:fox:77> \u200b<t:0:d>"
READ = "alice and someone in {channel}, not a channel, :fox: 1 January 1970"
LONG = "a red fox in snow " * 200


async def test_every_way_in_turns_tokens_into_words(world: StoryWorld) -> None:
    hidden = world.env.guild.create_text_channel("hidden")
    denied = discord.Permissions(view_channel=True).value
    world.env.backend.set_overwrite(hidden.id, Overwrite(world.env.guild.id, OverwriteType.ROLE, deny=denied))
    raw = RAW.format(alice=world.alice.id, channel=world.channel.id, hidden=hidden.id)
    card = await new_card(world, raw)
    await world.outcome(await edit(world, world.alice, card, raw))
    await world.answer(await world.mention_bot(raw))
    await world.answer(await world.mention_bot(raw, reply_to=card))
    execute(world.folder, "UPDATE generations SET prompt = ?", [raw])  # as earlier versions kept it
    await press(world, world.alice, card, "Again")

    prompts = {body["input"]["prompt"] for body in task_bodies(world.kie)}
    assert prompts == {READ.format(channel=world.channel.name)}
    assert len(task_bodies(world.kie)) == 5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
async def test_a_prompt_that_discord_made_a_file_is_read(world: StoryWorld, encoding: str) -> None:
    file = ("message.txt", f"{LONG}<@{world.alice.id}> \u00e9".encode(encoding))
    message = await world.mention_bot("please:", attachments=[file, *BOAT, ("message.txt", b"a second one")])
    card = rendered(await world.answer(message))
    assert world.answers(message)[1].content == "I left out message.txt, which isn't an image I can read."

    assert task_body(world.kie)["input"]["prompt"] == f"please:\n{LONG}alice \u00e9"
    assert references_used(world.kie) == [pixels(png())]
    assert card.headline.startswith("**please")
    assert world.ledger(world.alice) == PAID


@pytest.mark.parametrize(
    ("name", "content", "refusal"),
    [
        ("message.txt", b"x" * 5001, "A prompt needs 3 to 5,000 characters, but yours has 5,001."),
        ("message.txt", b"x" * 100_001, "Your message.txt is too long: a prompt has at most 5,000 characters."),
        ("Message.TXT", b"caf\xe9 in the rain", "I can't read Message.TXT as a prompt."),
        ("message.txt", b"", "A prompt needs 3 to 5,000 characters, but yours has 0."),
    ],
    ids=["too long", "far too long", "not UTF-8", "empty"],
)
async def test_a_prompt_that_cannot_be_read_is_explained(
    world: StoryWorld, name: str, content: bytes, refusal: str
) -> None:
    card = rendered(await world.answer(await world.mention_bot("", attachments=[(name, content)])))

    assert card.texts[0].startswith(refusal)
    assert card.texts[0].endswith("Nothing was charged.")
    world.check_nothing_started()


@pytest.mark.parametrize("text", ["", "so: https://example.com/"])
async def test_a_long_direct_message_is_asked_about_with_all_its_words(world: StoryWorld, text: str) -> None:
    """Also when it is edited, or Discord has added the embed of a link."""
    alice, inbox = world.alice.user, world.alice.user.dm_channel
    file = world.env.backend.store_attachments(inbox.id, [("message.txt", LONG.encode())])
    message = await alice.send_dm("", attachments=file)
    await alice.edit(message, text)
    await world.rest()
    (question,) = inbox.history()[1:]
    await alice.click(question, label="Make · 5 credits")
    await world.rest()

    assert task_body(world.kie)["input"]["prompt"] == f"{text}\n{LONG}".strip()


@pytest.mark.parametrize("bot_options", [BotOptions(), BotOptions(sees_all=True)], ids=["hidden", "intent granted"])
async def test_files_that_are_no_images_do_not_stop_the_others(world: StoryWorld, bot_options: BotOptions) -> None:
    files = [("logo.svg", SVG), *BOAT, ("notes.pdf", b"%PDF"), ("scan", png((1, 2, 3)))]
    message = await world.mention_bot("colder", attachments=files)
    card = rendered(await world.answer(message))

    assert references_used(world.kie) == [pixels(png()), pixels(png((1, 2, 3)))]
    assert "from 2 images" in card.small_print
    words = [answer.content for answer in world.answers(message)[1:]]
    assert words == [
        "I left out notes.pdf, which isn't an image I can read.",
        "I left out logo.svg, which isn't an image I can read.",
    ]


async def test_files_that_are_all_no_images_are_refused(world: StoryWorld) -> None:
    message = await world.mention_bot("colder", attachments=[("logo.svg", SVG), ("layers", b"8BPS")])

    assert rendered(await world.answer(message)).texts[0].startswith("logo.svg isn't an image I can read.")
    world.check_nothing_started()


@bot_with(sees_all=True)
async def test_a_ninth_image_is_refused_by_its_name(world: StoryWorld) -> None:
    files = [(f"{number}.png", png()) for number in range(9)]
    above = await world.bob.send(world.channel, attachments=files[:5])
    message = await world.mention_bot("all of them", reply_to=above, attachments=files[5:])

    assert (
        rendered(await world.answer(message))
        .texts[0]
        .startswith("I can work from 8 images at most, and 8.png would be more.")
    )
    world.check_nothing_started()
