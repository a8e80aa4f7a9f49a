"""Members report images; those who may decide delete, refund or dismiss, each of it once."""

import json
from decimal import Decimal

import discord
import pytest
import simcord
from simcord.backend.models import Overwrite
from simcord.enums import OverwriteType

from bot.domain.ids import ImageId, UserId
from bot.domain.image_errors import ImageGone
from bot.domain.image_reports import (
    AlreadyReported,
    AlreadyReviewed,
    NoReportsChannel,
    NotAModerator,
    ReportGone,
    ReportsChannelClosed,
    TooManyReports,
)
from bot.ui.texts import image_reports as texts
from bot.ui.texts.refusals import refusal
from bot.ui.texts.server_settings import REPORTS_PUBLIC
from tests.database import execute
from tests.stories.components import (
    EXPIRED,
    Message,
    custom_id_of,
    forge,
    menu_of,
    new_card,
    press_together,
    private_answer,
    submit_forged,
    submit_together,
)
from tests.stories.quota_actions import NOT_A_MANAGER, admin_elsewhere, give_role, quota
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld, balance, bot_with, response_of
from tests.stories.test_permissions import thread_in
from tests.stories.test_privacy import erased, exported, places_of
from tests.waiting import until

OPEN = ("Delete", "Refund · 5 credits", "Dismiss")


async def moderated(world: StoryWorld) -> simcord.ChannelHandle:
    """Reports go to a channel."""
    channel = world.env.guild.create_text_channel("mods")
    answer = await quota(world, "settings", reports_channel=channel)
    assert f"Reports of images: {channel.mention}" in answer.text
    assert REPORTS_PUBLIC in answer.text
    return channel


def reports(world: StoryWorld) -> list[discord.Message]:
    return world.env.guild.channels["mods"].history()


async def report(world: StoryWorld, by: simcord.MemberActor, card: Message, reason: str = "") -> str:
    """What the member reads who reports an image by its menu."""
    opened = await by.click(await menu_of(world, by, card), label="Report")
    if opened.modal is None:
        return private_answer(opened).text
    return private_answer(await by.submit_modal(opened, {"reason": reason})).text


async def reported(world: StoryWorld) -> tuple[discord.Message, discord.Message]:
    """An image of Alice's that Bob reported, and the report."""
    await moderated(world)
    card = await new_card(world)
    assert await report(world, world.bob, card, "not for *here*") == texts.SENT
    return card, reports(world)[-1]


@bot_with(previews=1)
async def test_a_report_reaches_the_moderators_who_delete_the_image_and_give_its_price_back(world: StoryWorld) -> None:
    card, message = await reported(world)
    await world.bob.context_menu(world.channel, "Save image", card)
    shown = rendered(message)
    for part in ("a red fox in snow", world.alice.mention, "5 credits", f"({card.jump_url})", world.bob.mention):
        assert part in shown.text
    assert "> not for \\*here\\*" in shown.text
    assert shown.buttons == OPEN
    (preview,) = shown.images
    assert '"spoiler": true' in json.dumps(world.calls("POST", "/messages")[-1].json)
    assert preview.alt_text == "preview of an image"
    assert await report(world, world.bob, card) == refusal(AlreadyReported())
    await world.restart()

    await world.admin.click(message, label="Delete")
    after = rendered(reports(world)[-1])
    assert f"🗑️ Deleted · by {world.admin.mention} · <t:" in after.text
    assert (after.buttons, after.images) == (("Refund · 5 credits",), ())
    assert card.id not in {one.id for one in world.messages()}
    for table in ("previews", "favourites"):
        assert execute(world.folder, f"SELECT count(*) FROM {table}") == [(0,)]
    await world.admin.click(message, label="Refund · 5 credits")
    final = rendered(reports(world)[-1])
    assert f"{world.alice.mention} got 5 bonus credits back · by {world.admin.mention}" in final.text
    assert final.buttons == ()
    assert world.ledger(world.alice) == [*PAID, ("grant", Decimal(5))]
    assert "+5 bonus credits: refund of a reported image" in (await balance(world, world.alice)).text
    assert len(reports(world)) == 1


async def test_several_reports_of_an_image_are_one_message_until_it_is_dismissed(world: StoryWorld) -> None:
    card, message = await reported(world)
    carol = world.env.guild.add_member(world.env.create_user("carol"))
    dan = world.env.guild.add_member(world.env.create_user("dan"))
    assert await report(world, carol, card, "nor there") == texts.SENT
    (message,) = reports(world)
    shown = rendered(message).text
    assert "### Reported image · 2 reports" in shown
    assert f"Reported by {world.bob.mention}, {carol.mention}" in shown
    assert "> nor there" in shown

    late = await dan.click(await menu_of(world, dan, card), label="Report")
    await world.admin.click(message, label="Dismiss")
    dismissed = rendered(reports(world)[-1])
    assert f"Dismissed · by {world.admin.mention}" in dismissed.text
    assert private_answer(await dan.submit_modal(late, {"reason": ""})).text == refusal(AlreadyReviewed())
    assert dismissed.buttons == ()
    assert card.id in {one.id for one in world.messages()}
    assert world.ledger(world.alice) == PAID


async def test_what_is_decided_twice_in_one_moment_is_done_once(world: StoryWorld) -> None:
    _, message = await reported(world)
    presses = [(world.admin, label) for label in ("Refund · 5 credits", "Refund · 5 credits", "Delete", "Delete")]
    await press_together(world, message, *presses)
    assert world.ledger(world.alice) == [*PAID, ("grant", Decimal(5))]
    shown = rendered(reports(world)[-1])
    assert (shown.text.count("bonus credits back"), shown.text.count("Deleted")) == (1, 1)


async def test_decisions_are_shown_in_the_order_in_which_they_were_made(world: StoryWorld) -> None:
    _, message = await reported(world)
    for label in ("Refund · 5 credits", "Delete"):
        await world.admin.click(message, label=label)
    text = rendered(reports(world)[-1]).text
    assert text.index("bonus credits back") < text.index("Deleted")


async def test_two_members_who_report_an_image_in_the_same_moment_make_one_message(world: StoryWorld) -> None:
    await moderated(world)
    card = await new_card(world)
    carol = world.env.guild.add_member(world.env.create_user("carol"))
    menus = [(one, await menu_of(world, one, card), "Report") for one in (world.bob, carol)]
    await submit_together(world, *menus, answers={"reason": "both"})
    (message,) = reports(world)
    assert "2 reports" in rendered(message).text


async def test_it_is_offered_only_to_others_and_where_there_is_a_channel_for_it(world: StoryWorld) -> None:
    card = await new_card(world)
    assert "Report" not in rendered(await menu_of(world, world.bob, card)).buttons
    await moderated(world)
    assert "Report" not in rendered(await menu_of(world, world.alice, card)).buttons
    opened = await world.bob.click(await menu_of(world, world.bob, card), label="Report")
    own = custom_id_of(await menu_of(world, world.alice, card), "⭐ Favourite").replace("fav", "report")
    assert private_answer(await submit_forged(world, world.alice, card, own, {})).text == EXPIRED
    await quota(world, "settings", stop_reports=True)
    assert private_answer(await world.bob.submit_modal(opened, {"reason": ""})).text == refusal(NoReportsChannel())
    direct = await world.alice.user.slash("imagine", prompt="between us")
    await world.outcome(direct)
    assert "Report" not in rendered(await menu_of(world, world.alice.user, response_of(direct))).buttons


async def test_of_several_images_one_is_reported_and_all_of_their_message_deleted(world: StoryWorld) -> None:
    await moderated(world)
    card = await new_card(world, count=2)
    which = response_of(await world.bob.click(await menu_of(world, world.bob, card), label="Report"))
    assert rendered(which).buttons == ("1", "2")
    assert await report_one(world, which, "2") == texts.SENT
    (message,) = reports(world)
    assert "Delete removes all 2 images" in rendered(message).text
    await world.admin.click(message, label="Delete")
    assert card.id not in {one.id for one in world.messages()}


async def report_one(world: StoryWorld, which: simcord.ResponseMessage, number: str) -> str:
    menu = await menu_of(world, world.bob, which, number)
    opened = await world.bob.click(menu, label="Report")
    return private_answer(await world.bob.submit_modal(opened, {"reason": ""})).text


async def test_who_may_not_decide_does_not(world: StoryWorld) -> None:
    card, message = await reported(world)
    for label in OPEN:
        answer = private_answer(await world.bob.click(message, label=label)).text
        assert answer == (NOT_A_MANAGER if label.startswith("Refund") else refusal(NotAModerator()))
    eve = admin_elsewhere(world)
    await quota(world, "settings", by=eve, reports_channel=eve.guild.channels["lobby"])
    made = await eve.slash(eve.guild.channels["lobby"], "imagine", prompt="a castle")
    await world.outcome(made)
    theirs = response_of(made)
    other = await new_card(world)
    for who, forged in ((eve, theirs), (world.admin, other)):
        forge(world, forged, "Again", custom_id_of(message, "Delete"))
        assert private_answer(await who.click(forged, label="Again")).text == refusal(ReportGone())
    assert rendered(reports(world)[-1]).buttons == OPEN

    cleaner = world.env.guild.create_role("Cleaner", permissions=discord.Permissions(manage_messages=True))
    give_role(world, world.bob, cleaner)
    await world.bob.click(message, label="Delete")
    assert f"Deleted · by {world.bob.mention}" in rendered(reports(world)[-1]).text
    assert card.id not in {one.id for one in world.messages()}


async def test_a_manager_by_role_refunds_within_the_limit_and_not_to_themselves(world: StoryWorld) -> None:
    _, message = await reported(world)
    helpers = world.env.guild.create_role("Helper")
    await quota(world, "settings", manager_role=helpers, manager_limit=3)
    for member in (world.alice, world.bob):
        give_role(world, member, helpers)
        refused = private_answer(await member.click(message, label="Refund · 5 credits")).text
        assert "nothing was granted" in refused
    assert world.ledger(world.alice) == PAID
    assert rendered(reports(world)[-1]).buttons == OPEN


async def test_a_report_on_an_image_that_is_gone_or_whose_message_was_deleted_by_hand(world: StoryWorld) -> None:
    card, message = await reported(world)
    await message.delete()
    carol = world.env.guild.add_member(world.env.create_user("carol"))
    assert await report(world, carol, card) == texts.SENT
    (message,) = reports(world)
    assert "2 reports" in rendered(message).text
    await card.delete()
    await world.admin.click(message, label="Delete")
    assert f"Deleted · by {world.admin.mention}" in rendered(reports(world)[-1]).text
    execute(world.folder, "DELETE FROM images")
    assert private_answer(await world.admin.click(message, label="Refund · 5 credits")).text == refusal(ReportGone())
    assert world.ledger(world.alice) == PAID


async def test_what_discord_refuses_to_delete_does_not_count_as_deleted(world: StoryWorld) -> None:
    card, message = await reported(world)
    world.deny_bot("view_channel")
    refused = private_answer(await world.admin.click(message, label="Delete"))
    assert "went wrong" not in refused.text
    await world.admin.click(message, label="Refund · 5 credits")
    shown = rendered(reports(world)[-1])
    assert "Deleted" not in shown.text
    assert shown.buttons == ("Delete",)
    assert card.id in {one.id for one in world.messages()}


async def test_a_report_moves_to_the_new_channel_when_the_old_one_was_closed(world: StoryWorld) -> None:
    card, _ = await reported(world)
    guild, backend = world.env.guild, world.env.backend
    (role,) = [role for role in backend.get_guild(guild.id).roles.values() if role.managed]
    denied = discord.Permissions(view_channel=True).value
    backend.set_overwrite(guild.channels["mods"].id, Overwrite(role.id, OverwriteType.ROLE, deny=denied))
    other = guild.create_text_channel("moderators")
    await quota(world, "settings", reports_channel=other)
    assert await report(world, guild.add_member(world.env.create_user("carol")), card) == texts.SENT
    (message,) = other.history()
    assert "2 reports" in rendered(message).text


async def test_where_the_bot_cannot_post_the_admin_or_the_reporter_reads_so(world: StoryWorld) -> None:
    channel = world.env.guild.create_text_channel("mods")
    backend = world.env.backend
    (role,) = [role for role in backend.get_guild(world.env.guild.id).roles.values() if role.managed]
    closed = Overwrite(
        role.id, OverwriteType.ROLE, deny=discord.Permissions(view_channel=True, send_messages=True).value
    )
    opened = Overwrite(role.id, OverwriteType.ROLE)
    backend.set_overwrite(channel.id, closed)
    command = await world.admin.slash(world.channel, "quota settings", **{"reports-channel": channel})
    assert private_answer(command).text == refusal(ReportsChannelClosed())
    backend.set_overwrite(channel.id, opened)
    await quota(world, "settings", reports_channel=channel)
    backend.set_overwrite(channel.id, closed)
    card = await new_card(world)
    assert await report(world, world.bob, card) == refusal(NoReportsChannel())
    backend.set_overwrite(channel.id, opened)
    assert await report(world, world.bob, card) == texts.SENT
    carol = world.env.guild.add_member(world.env.create_user("carol"))
    for overwrite, answer in ((closed, refusal(NoReportsChannel())), (opened, texts.SENT)):
        backend.set_overwrite(channel.id, overwrite)
        assert await report(world, carol, card) == answer, "what was not sent does not count as made"


async def test_reports_are_limited_and_the_limit_ends(world: StoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.generation.image_reports.REPORTS_A_DAY", 1)
    card, _ = await reported(world)
    other = await new_card(world, "a blue hill")
    assert await report(world, world.bob, other) == refusal(TooManyReports())
    assert await report(world, world.bob, card) == refusal(AlreadyReported())
    world.clock.advance(24 * 3600 + 1)
    assert await report(world, world.bob, other) == texts.SENT


async def test_reports_are_exported_and_erased(world: StoryWorld) -> None:
    card, message = await reported(world)
    ((image,),) = execute(world.folder, "SELECT id FROM images")
    (own,) = json.loads((await exported(world, world.bob))["settings.json"])["reports"]
    assert (own["image"], own["reason"]) == (str(image), "not for *here*")
    assert "not for" not in str(await exported(world, world.alice))
    await erased(world, world.bob)
    await until(lambda: not places_of(world, "not for"), what="the file's old pages to be dropped as well")
    assert not {"image_reports", "image_reporters"} & places_of(world, str(world.bob.id))
    await world.admin.click(message, label="Dismiss")
    assert "Reported by" not in rendered(reports(world)[-1]).text
    await erased(world, world.admin)
    done = "SELECT count(*) FROM erasures WHERE erased_at IS NOT NULL"
    await until(lambda: execute(world.folder, done) == [(2,)], what="the moderator's data to be erased")
    assert "image_reports" not in places_of(world, str(world.admin.id))
    await erased(world, world.alice)
    await until(lambda: not execute(world.folder, "SELECT 1 FROM image_reports"), what="the report to go")
    assert card.id in {one.id for one in world.messages()}


@bot_with(previews=1)
async def test_what_moderators_deleted_is_no_longer_found_by_a_menu_that_was_open(world: StoryWorld) -> None:
    card, message = await reported(world)
    menus = [(member, await menu_of(world, member, card)) for member in (world.alice, world.bob)]
    await world.admin.click(message, label="Delete")
    for member, menu in menus:
        for label in ("⭐ Favourite", "Full prompt", "Original file", "Save as references"):
            assert private_answer(await member.click(menu, label=label)).text == refusal(ImageGone())
        assert rendered(response_of(await member.slash(world.channel, "favourites"))).buttons == ()
    ((row,),) = execute(world.folder, "SELECT id FROM images")
    async with world.app.runtime.store.read() as tx:
        image = await tx.images.get(ImageId(row))
    assert image is not None
    with pytest.raises(ImageGone):
        await world.app.client.services.posted_images.source(image, UserId(world.alice.id))
    await world.admin.click(message, label="Refund · 5 credits")
    assert world.ledger(world.alice)[-1] == ("grant", Decimal(5))


@bot_with(previews=1)
@pytest.mark.parametrize("where", ["channel", "thread"])
async def test_an_age_restricted_image_is_shown_only_where_that_is_allowed(world: StoryWorld, where: str) -> None:
    mods = await moderated(world)
    channels = {channel.id: channel for channel in world.app.client.guilds[0].text_channels}
    channels[world.channel.id].nsfw = True
    place = thread_in(world, world.channel) if where == "thread" else world.channel
    made = await world.alice.slash(place, "imagine", prompt="a red fox in snow")
    await world.outcome(made)
    card = response_of(made).message
    assert await report(world, world.bob, card, "not for *here*") == texts.SENT
    shown = rendered(reports(world)[-1])
    assert (texts.AGE_RESTRICTED in shown.text, shown.images, shown.buttons) == (True, (), OPEN)
    assert "fox" not in json.dumps(world.calls("POST", "/messages")[-1].json)
    assert f"({card.jump_url})" in shown.text
    channels[mods.id].nsfw = True
    await world.admin.click(reports(world)[-1], label="Dismiss")
    shown = rendered(reports(world)[-1])
    assert ("a red fox in snow" in shown.text, len(shown.images)) == (True, 1)


@bot_with(previews=1)
async def test_a_report_whose_words_or_image_discord_refuses_is_a_link(world: StoryWorld) -> None:
    await moderated(world)
    card = await new_card(world)
    world.env.inject_error("POST", "/channels/*/messages", status=400, code=200000, times=1)
    assert await report(world, world.bob, card, "not for *here*") == texts.SENT
    shown = rendered(reports(world)[-1])
    assert (f"({card.jump_url})" in shown.text, shown.images, shown.buttons) == (True, (), OPEN)
    assert not [words for words in ("fox", "not for") if words in shown.text]


async def test_a_deletion_that_a_process_had_only_decided_is_made_up_for(world: StoryWorld) -> None:
    card, message = await reported(world)
    killed = "UPDATE image_reports SET deleted_by = ?, deleted_at = reported_at FROM image_reporters"
    execute(world.folder, killed, (world.admin.id,))
    await world.admin.click(message, label="Refund · 5 credits")
    assert "Deleted" in rendered(reports(world)[-1]).text
    assert card.id not in {one.id for one in world.messages()}


async def test_an_image_in_an_archived_thread_has_its_moderators(world: StoryWorld) -> None:
    await moderated(world)
    thread = thread_in(world, world.channel)
    made = await world.alice.slash(thread, "imagine", prompt="a red fox in snow")
    await world.outcome(made)
    assert await report(world, world.bob, response_of(made).message) == texts.SENT
    cleaner = world.env.guild.create_role("Cleaner", permissions=discord.Permissions(manage_messages=True))
    give_role(world, world.bob, cleaner)
    metadata = world.env.backend.get_channel(thread.id).thread_metadata
    assert metadata is not None
    metadata.archived = True
    world.env.backend.announce_channel_update(thread.id)
    await world.env.settle()
    assert world.app.client.guilds[0].get_thread(thread.id) is None, "Discord tells nothing of it unless asked"
    await world.bob.click(reports(world)[-1], label="Dismiss")
    shown = rendered(reports(world)[-1]).text
    assert f"Dismissed · by {world.bob.mention}" in shown
    assert "a red fox in snow" in shown
