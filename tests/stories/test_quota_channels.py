"""Channels where the bot may be used: refused elsewhere in every way, threads belong to their channel."""

import pytest
import simcord

from tests.stories.components import EDIT_FORM, new_card, private_answer
from tests.stories.images import png
from tests.stories.quota_actions import quota
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld, response_of
from tests.stories.test_permissions import thread_in
from tests.waiting import until

ATTACHED = [("a.png", png())]


async def test_elsewhere_is_refused_in_every_way(world: StoryWorld) -> None:
    card = await new_card(world)
    edit = await world.bob.click(card, label="Edit")
    menu = await world.bob.context_menu(world.channel, "Edit image", card)
    gallery = world.env.guild.create_text_channel("gallery")
    answer = await quota(world, "settings", allow_channel=gallery)
    assert f"Channels: {gallery.mention}" in answer.text

    answers = {"prompt": "at night", **EDIT_FORM}
    for command in (
        await world.imagine(by=world.bob),
        await world.imagine(by=world.bob, image=ATTACHED[0]),
        await world.imagine(by=world.bob, private=True),
        await world.bob.click(card, label="Again"),
        await world.bob.click(card, label="2K · 7"),
        await world.bob.submit_modal(edit, answers),
        await world.bob.submit_modal(menu, answers),
    ):
        assert world.refusal(command).text == only_in(gallery)
    refused = rendered(await world.answer(await world.mention_bot("at night", by=world.bob, attachments=ATTACHED)))
    assert (refused.texts[0], refused.buttons) == (only_in(gallery), ())

    assert world.ledger(world.bob) == []
    assert len(world.kie.tasks) == 1
    assert [call for call in world.kie.requests if call.files] == []
    shown = rendered(response_of(await world.bob.slash(world.channel, "balance")))
    assert "**50** of 50" in shown.text
    assert "gets **50 credits a day**" in (await quota(world, "show", channel=world.channel)).text


async def test_the_allowed_channel_its_threads_and_their_buttons_work(world: StoryWorld) -> None:
    gallery = world.env.guild.create_text_channel("gallery")
    await quota(world, "settings", allow_channel=gallery)
    for place in (gallery, thread_in(world, gallery)):
        command = await world.bob.slash(place, "imagine", prompt="a castle")
        assert len((await world.outcome(command)).images) == 1
        again = await world.bob.click(response_of(command), label="Again")
        assert len((await world.outcome(again)).images) == 1
        await world.bob.send(place, f"{world.mention} at night", attachments=ATTACHED)
    await world.rest()

    assert len(world.kie.tasks) == 6
    assert world.ledger(world.bob)[:2] == PAID
    elsewhere = await world.bob.slash(thread_in(world, world.channel), "imagine", prompt="a castle")
    assert private_answer(elsewhere).text == only_in(gallery)


async def test_several_channels_and_back_to_everywhere(world: StoryWorld) -> None:
    first, second = (world.env.guild.create_text_channel(name) for name in ("first", "second"))
    await quota(world, "settings", allow_channel=first)
    await quota(world, "settings", allow_channel=second)
    refusal = world.refusal(await world.imagine()).text
    assert first.mention in refusal
    assert second.mention in refusal
    await quota(world, "settings", forbid_channel=first)
    command = await world.bob.slash(first, "imagine", prompt="a castle")
    assert private_answer(command).text == only_in(second)

    answer = await quota(world, "settings", forbid_channel=second)
    assert "Channels: all" in answer.text
    assert (await world.delivered()).images


async def test_what_was_requested_before_still_comes_and_direct_messages_are_free(world: StoryWorld) -> None:
    command = await world.imagine()
    await quota(world, "settings", allow_channel=world.env.guild.create_text_channel("gallery"))

    assert (await world.outcome(command)).images
    assert (await world.outcome(await world.alice.user.slash("imagine", prompt="between us"))).images


async def test_a_deleted_channel_does_not_lock_the_bot_out_for_good(world: StoryWorld) -> None:
    gallery, other = (world.env.guild.create_text_channel(name) for name in ("gallery", "other"))
    await quota(world, "settings", allow_channel=gallery)
    world.env.backend.delete_channel(gallery.id)
    await quota(world, "settings", allow_channel=other)
    answer = await quota(world, "settings", forbid_channel=other)

    assert "Channels: all" in answer.text
    assert (await world.delivered()).images


@pytest.mark.parametrize("kind", ["voice", "stage", "news", "forum"])
async def test_other_kinds_of_channels_can_be_allowed(world: StoryWorld, kind: str) -> None:
    guild = world.env.guild
    makers = {
        "voice": guild.create_voice_channel,
        "stage": guild.create_stage_channel,
        "news": guild.create_news_channel,
        "forum": guild.create_forum_channel,
    }
    channel = makers[kind]("loud")
    assert f"Channels: {channel.mention}" in (await quota(world, "settings", allow_channel=channel)).text
    place = thread_in(world, channel) if kind == "forum" else channel
    assert (await world.outcome(await world.bob.slash(place, "imagine", prompt="a castle"))).images
    mention = await world.alice.send(place, f"{world.mention} colder", attachments=ATTACHED)

    def edited() -> bool:
        *_, card = place.history()
        return card.reference is not None and card.reference.message_id == mention.id and bool(rendered(card).images)

    await until(edited, what="the image for the mention")
    await world.rest()


def only_in(channel: simcord.ChannelHandle) -> str:
    """The refusal in another channel."""
    return f"In this server I only work in {channel.mention}. Try it there. Nothing was charged."
