"""Channels where the bot may be used: refused elsewhere at every door, threads belong to their channel."""

import pytest
import simcord

from tests.stories.asked import PAID
from tests.stories.managing import quota
from tests.stories.pictures import png
from tests.stories.pressing import USUAL, made, told
from tests.stories.seen import seen
from tests.stories.stage import Stage


async def test_elsewhere_is_refused_at_every_door(stage: Stage) -> None:
    card = await made(stage)
    edit = await stage.bob.click(card, label="Edit")
    menu = await stage.bob.context_menu(stage.channel, "Edit image", card)
    gallery = stage.env.guild.create_text_channel("gallery")
    answer = await quota(stage, "settings", allow_channel=gallery)
    assert f"Used in: {gallery.mention}" in answer.text

    answers = {"prompt": "at night", **USUAL, "ratio": ["auto"]}
    for asked in (
        await stage.imagine(by=stage.bob),
        await stage.imagine(by=stage.bob, image=("a.png", png())),
        await stage.imagine(by=stage.bob, private=True),
        await stage.bob.click(card, label="Again"),
        await stage.bob.click(card, label="2K"),
        await stage.bob.submit_modal(edit, answers),
        await stage.bob.submit_modal(menu, answers),
    ):
        assert (await stage.refusal(asked)).text == elsewhere_is(gallery)
    said = await stage.bob.send(stage.channel, f"{stage.mention} at night", attachments=[("a.png", png())])
    refused = seen(await stage.answer(said))
    assert (refused.text, refused.buttons) == (elsewhere_is(gallery), ())

    assert stage.ledger(stage.bob) == []
    assert len(stage.kie.tasks) == 1
    assert [call for call in stage.kie.requests if call.files] == []


async def test_the_allowed_channel_its_threads_and_their_buttons_work(stage: Stage) -> None:
    gallery = stage.env.guild.create_text_channel("gallery")
    await quota(stage, "settings", allow_channel=gallery)
    thread = thread_of(stage, gallery)
    for place in (gallery, thread):
        asked = await stage.bob.slash(place, "imagine", prompt="a castle")
        assert len((await stage.outcome(asked)).pictures) == 1
        assert asked.response is not None
        again = await stage.bob.click(asked.response, label="Again")
        assert len((await stage.outcome(again)).pictures) == 1
        said = await stage.bob.send(place, f"{stage.mention} at night", attachments=[("a.png", png())])
        assert said.channel.id == place.id

    await stage.rest()
    assert len(stage.kie.tasks) == 6
    assert stage.ledger(stage.bob)[:2] == PAID


async def test_a_thread_of_another_channel_is_elsewhere(stage: Stage) -> None:
    gallery = stage.env.guild.create_text_channel("gallery")
    await quota(stage, "settings", allow_channel=gallery)
    asked = await stage.bob.slash(thread_of(stage, stage.channel), "imagine", prompt="a castle")

    assert told(asked).text == elsewhere_is(gallery)


async def test_posts_of_an_allowed_forum_are_allowed(stage: Stage) -> None:
    forum = stage.env.guild.create_forum_channel("forum")
    await quota(stage, "settings", allow_channel=forum)
    asked = await stage.bob.slash(thread_of(stage, forum), "imagine", prompt="a castle")

    assert (await stage.outcome(asked)).pictures


async def test_several_channels_and_back_to_everywhere(stage: Stage) -> None:
    first, second = (stage.env.guild.create_text_channel(name) for name in ("first", "second"))
    await quota(stage, "settings", allow_channel=first)
    await quota(stage, "settings", allow_channel=second)
    told_to = (await stage.refusal(await stage.imagine())).text
    assert first.mention in told_to
    assert second.mention in told_to
    await quota(stage, "settings", forbid_channel=first)
    asked = await stage.bob.slash(first, "imagine", prompt="a castle")
    assert told(asked).text == elsewhere_is(second)

    answer = await quota(stage, "settings", forbid_channel=second)
    assert "Used in: everywhere" in answer.text
    assert (await stage.delivered()).pictures


async def test_quotas_are_managed_and_balances_seen_everywhere(stage: Stage) -> None:
    gallery = stage.env.guild.create_text_channel("gallery")
    await quota(stage, "settings", allow_channel=gallery)
    asked = await stage.bob.slash(stage.channel, "balance")

    assert asked.response is not None
    assert "**50** of 50" in seen(asked.response).text
    assert "may spend" in (await quota(stage, "show", channel=stage.channel)).text


async def test_what_was_asked_for_before_still_comes(stage: Stage) -> None:
    asked = await stage.imagine()
    await quota(stage, "settings", allow_channel=stage.env.guild.create_text_channel("gallery"))

    assert (await stage.outcome(asked)).pictures


async def test_a_deleted_channel_does_not_lock_the_bot_out_for_good(stage: Stage) -> None:
    gallery = stage.env.guild.create_text_channel("gallery")
    await quota(stage, "settings", allow_channel=gallery)
    stage.env.backend.delete_channel(gallery.id)
    other = stage.env.guild.create_text_channel("other")
    await quota(stage, "settings", allow_channel=other)
    answer = await quota(stage, "settings", forbid_channel=other)

    assert "Used in: everywhere" in answer.text
    assert (await stage.delivered()).pictures


async def test_direct_messages_follow_no_servers_settings(stage: Stage) -> None:
    await quota(stage, "settings", allow_channel=stage.env.guild.create_text_channel("gallery"))
    asked = await stage.alice.user.slash("imagine", prompt="between us")

    assert (await stage.outcome(asked)).pictures


@pytest.mark.parametrize("kind", ["voice", "stage", "news"])
async def test_other_kinds_of_channels_can_be_allowed(stage: Stage, kind: str) -> None:
    guild = stage.env.guild
    makers = {
        "voice": guild.create_voice_channel,
        "stage": guild.create_stage_channel,
        "news": guild.create_news_channel,
    }
    answer = await quota(stage, "settings", allow_channel=makers[kind]("loud"))

    assert "Used in: <#" in answer.text


def elsewhere_is(channel: simcord.ChannelHandle) -> str:
    """What is told in another channel."""
    return f"Pictures are made elsewhere in this server: {channel.mention}. Nothing was charged."


def thread_of(stage: Stage, channel: simcord.ChannelHandle) -> simcord.ChannelHandle:
    """A thread that a member opened there."""
    backend = stage.env.backend
    thread = backend.create_thread(channel.id, "details", owner_id=stage.bob.id)
    return next(one for one in channel.threads if one.id == thread.id)
